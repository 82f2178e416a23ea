"""A process whose event loop hangs is worse than none: it ends with code 70, and whoever started it starts another."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic

from pinguin.notify import Notifier

EXIT_CODE = 70
BEAT_S = 1.0
LAST_WORDS_S = 5.0


class Watchdog:
    """A thread that ends the process when nobody calls `beat` for `patience_s` (0: never).

    Only time that the thread itself lived through counts, so a process that was stopped (SIGSTOP, a laptop's lid)
    and goes on is not ended.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._beats = 0
        self._ended = threading.Event()
        self.interval_s = min(BEAT_S, patience_s / 4) if patience_s else BEAT_S
        """How often to beat."""

    def start(self) -> None:
        if self._patience_s:
            # A regular expression that runs away holds the interpreter's lock, and the thread below cannot run either.
            # The kernel's timer needs no lock: it counts processor time, which passes while the lock is held but not
            # while the process is stopped, and the thread winds it up anew each time that it runs.
            faulthandler.register(signal.SIGPROF, file=2, all_threads=True, chain=True)
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._ended.set()

    def beat(self) -> None:
        self._beats += 1

    def _watch(self) -> None:
        quiet_s, heard, last = 0.0, self._beats, monotonic()
        while not self._ended.wait(self.interval_s):
            signal.setitimer(signal.ITIMER_PROF, self._patience_s)
            now = monotonic()
            quiet_s = quiet_s + min(now - last, 2 * self.interval_s) if self._beats == heard else 0.0
            heard, last = self._beats, now
            if quiet_s >= self._patience_s:
                self._end(quiet_s)
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _end(self, quiet_s: float) -> None:
        # The loop may hang because nobody reads standard error: then these words hang too, and we end all the same.
        last_words = threading.Timer(LAST_WORDS_S, os._exit, (EXIT_CODE,))
        last_words.daemon = True
        last_words.start()
        with suppress(OSError):
            os.write(2, f'{{"event": "event_loop_frozen", "level": "critical", "seconds": {quiet_s:.1f}}}\n'.encode())
            faulthandler.dump_traceback(file=2, all_threads=True)
        os._exit(EXIT_CODE)


@asynccontextmanager
async def alive(patience_s: float, stop: asyncio.Event, status: Callable[[], str]) -> AsyncIterator[None]:
    """Watch this loop, and tell systemd that the process is ready, how it is (`status`), and when it stops."""
    notifier, watchdog = Notifier(), Watchdog(patience_s)
    watchdog.start()
    notifier.ready()
    beating = asyncio.create_task(_beat_forever(watchdog, notifier, stop, status))
    try:
        yield
    finally:
        notifier.stopping()
        beating.cancel()
        watchdog.stop()


async def _beat_forever(watchdog: Watchdog, notifier: Notifier, stop: asyncio.Event, status: Callable[[], str]) -> None:
    every = notifier.watchdog_s / 2 if notifier.watchdog_s else None
    told = monotonic()
    while True:
        watchdog.beat()
        if every is not None and monotonic() - told >= every:
            notifier.beat()
            told = monotonic()
        if stop.is_set():
            notifier.stopping()
        else:
            notifier.status(status())
        await asyncio.sleep(min(watchdog.interval_s, (every or BEAT_S) / 2))
