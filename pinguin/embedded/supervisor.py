"""Keeps child processes alive, and ends them in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import structlog

from pinguin.embedded.child import Lifeline, ending, spawn
from pinguin.embedded.logfile import LogFile
from pinguin.errors import PinguinError

log = structlog.get_logger(__name__)

Ready = Callable[[], Awaitable[bool]]

FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0
LONG_LIFE = 30.0
READY_POLL = 0.05
ROTATION = 10.0


class Backoff:
    """Seconds before the next start: doubled with each early death, short again after a long life."""

    def __init__(self) -> None:
        self._next = FIRST_DELAY

    def after(self, lived: float) -> float:
        delay = FIRST_DELAY if lived >= LONG_LIFE else self._next
        self._next = min(2 * delay, LONGEST_DELAY)
        return delay


class Child:
    """One command that is to run until it is stopped. Made by `Supervisor.start`."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        pass_fds: Sequence[int],
        lifeline: Lifeline,
        output: LogFile | None,
        grace: float,
    ) -> None:
        self.name = name
        self.output = output
        self.restarts = 0
        self._argv = list(argv)
        self._env = dict(env)
        self._pass_fds = tuple(pass_fds)
        self._lifeline = lifeline
        self._grace = grace
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._started = 0.0
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """None while it is dead."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def start(self, ready: Ready | None, timeout: float) -> None:
        await self._spawn()
        try:
            if ready is not None:
                await self._await_ready(ready, timeout)
        except BaseException:
            await self._end_process()
            raise
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def stop(self) -> None:
        self._stopping.set()
        await self._end_process()
        if self._keeper is not None:
            await self._keeper
        log.info("child_stopped", name=self.name)

    async def _spawn(self) -> None:
        with self._open_output() as output:
            self._process = await spawn(
                self._argv, env=self._env, stdin=self._lifeline.reader, output=output, pass_fds=self._pass_fds
            )
        self._started = time.monotonic()
        log.info("child_started", name=self.name, pid=self._process.pid)

    def _open_output(self) -> AbstractContextManager[int | None]:
        if self.output is None:
            return contextlib.nullcontext()
        self.output.rotate_if_large()
        return self.output.open()

    async def _await_ready(self, ready: Ready, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not await ready():
            if self.pid is None:
                raise PinguinError(self._complaint("ended before it was ready"))
            if time.monotonic() > deadline:
                raise PinguinError(self._complaint(f"was not ready within {timeout:g} s"))
            await asyncio.sleep(READY_POLL)

    def _complaint(self, what: str) -> str:
        assert self._process is not None
        code = self._process.returncode
        how = "" if code is None else " ({})".format(" ".join(f"{k} {v}" for k, v in ending(code).items()))
        said = f" Its log, {self.output.path}, ends with:\n{self.output.tail()}" if self.output else ""
        return f"{self.name} {what}{how}.{said}"

    async def _keep(self) -> None:
        backoff = Backoff()
        while not self._stopping.is_set():
            delay = backoff.after(await self._outlive())
            if await self._stopped_within(delay):
                return
            try:
                await self._spawn()
                self.restarts += 1
            except OSError as error:
                self._process = None
                log.error("child_not_started", name=self.name, error=str(error))
        await self._end_process()  # it was being started while we were asked to stop

    async def _outlive(self) -> float:
        """Waits for the end of the process; the seconds that it lived."""
        if self._process is None:
            return 0.0
        code = await self._process.wait()
        lived = time.monotonic() - self._started
        if not self._stopping.is_set():
            log.warning("child_died", name=self.name, pid=self._process.pid, lived_s=round(lived, 3), **ending(code))
        return lived

    async def _stopped_within(self, delay: float) -> bool:
        try:
            async with asyncio.timeout(delay):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    async def _end_process(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self._grace):
                await process.wait()
        except TimeoutError:
            log.warning("child_killed", name=self.name, pid=process.pid, grace_s=self._grace)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class Supervisor:
    """Children cannot outlive us: on Linux the kernel sends them SIGTERM when we die; everywhere their stdin ends.

    On macOS a child that does not watch its stdin (Valkey) goes on when we are killed by SIGKILL. It keeps the
    folder's lock, so that the next start on the same folder says so.
    """

    def __init__(self, logs: Path | None = None) -> None:
        """`logs`: the folder for the children's output; None: they write where we write."""
        self._logs = logs
        self._lifeline = Lifeline()
        self._children: dict[str, Child] = {}
        self._rotation: asyncio.Task[None] | None = None

    async def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        ready: Ready | None = None,
        timeout: float = 60.0,
        grace: float = 10.0,
        pass_fds: Sequence[int] = (),
        inherit_output: bool = False,
    ) -> Child:
        """Starts it, and from then on starts it again whenever it dies.

        `env` is added to our environment. Returns when `ready()` is true; without `ready`, at once. A child that
        dies before it was ready for the first time is a PinguinError with the end of its log.
        `grace`: seconds between SIGTERM and SIGKILL.
        """
        if name in self._children:
            raise PinguinError(f"{name}: a child of this name is running already.")
        output = None if inherit_output or self._logs is None else LogFile(self._logs / f"{name}.log")
        child = Child(
            name,
            argv,
            env=env or {},
            pass_fds=pass_fds,
            lifeline=self._lifeline,
            output=output,
            grace=grace,
        )
        self._children[name] = child
        try:
            await child.start(ready, timeout)
        except BaseException:
            del self._children[name]
            raise
        if self._rotation is None:
            self._rotation = asyncio.create_task(self._rotate(), name="rotate logs")
        return child

    async def stop(self, *, at_once: bool = False) -> None:
        """Ends the children, the last one started first; `at_once`: all together, where none needs another."""
        if self._rotation is not None:
            self._rotation.cancel()
            await asyncio.gather(self._rotation, return_exceptions=True)
            self._rotation = None
        if at_once:
            await asyncio.gather(*(child.stop() for child in self._children.values()))
            self._children.clear()
        for name in reversed(self._children.copy()):
            await self._children.pop(name).stop()
        self._lifeline.cut()

    async def _rotate(self) -> None:
        while True:
            await asyncio.sleep(ROTATION)
            for child in self._children.values():
                if child.output is not None:
                    child.output.rotate_if_large()
