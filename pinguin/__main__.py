"""`python -m pinguin`. Ctrl-C ends it without a word as long as nothing has begun: `cli` takes it over then."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """What takes long to be imported comes after Ctrl-C is seen to, or its traceback would be the answer."""
    # Unless whoever started us ignores it. Where it was held back until now (scripts/pinguin), it comes here.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    from pinguin.cli import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
