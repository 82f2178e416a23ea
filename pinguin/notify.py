"""What systemd asks of its services: readiness, a status line, a heartbeat. Without systemd nothing is said."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """The socket that systemd names in NOTIFY_SOCKET."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._told = ""
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environment.get("WATCHDOG_USEC", "") if mine else ""
        self.watchdog_s = int(microseconds) / 1e6 if microseconds.isdigit() and int(microseconds) else None
        """Within this time systemd wants `beat`; None: it does not."""

    def ready(self) -> None:
        self._tell("READY=1")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def beat(self) -> None:
        self._tell("WATCHDOG=1")

    def status(self, line: str) -> None:
        """What `systemctl status` shows."""
        if line != self._told:
            self._told = line
            self._tell(f"STATUS={line}")

    def _tell(self, message: str) -> None:
        if self._address is None:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)  # systemd that is too busy to read must not hold us up
            try:
                sock.sendto(message.encode(), self._address)
            except OSError:
                return


def _address(text: str) -> str | None:
    """`@name` is a socket in the abstract namespace. Others than unix sockets are not for us."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else None
