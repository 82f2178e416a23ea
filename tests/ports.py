"""Ports on loopback that no other test takes."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from itertools import cycle

_FIRST, _EACH = 20_000, 4_000
"""Below 32768: above, the connections of other tests leave their TIME_WAIT. Three processes of a run have ports of
their own."""
_process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 3
_own = list(range(_FIRST + _process * _EACH, _FIRST + (_process + 1) * _EACH))
_begin = os.getpid() * 97 % _EACH
"""Runs at the same time begin at different ones: between a look and its use a port may be taken."""
_ports = cycle(_own[_begin:] + _own[:_begin])


def free_port() -> int:
    """One that nobody has, neither for TCP nor for UDP."""
    while True:
        port = next(_ports)
        with suppress(OSError):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
            return port
