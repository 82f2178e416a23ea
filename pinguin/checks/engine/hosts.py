"""Which names this machine's hosts file answers. Nobody else is asked for them, so they wait for nobody."""

from __future__ import annotations

import os
import socket
from pathlib import Path

Signature = tuple[int, int, int]


class HostsFile:
    """As fresh as the file, which is looked at each time. It answers nothing where others are asked before it."""

    def __init__(self, path: str = "/etc/hosts", switch: str = "/etc/nsswitch.conf") -> None:
        self._path = path
        self._switch = switch
        self._signature: Signature | None = None
        self._families: dict[str, set[int]] = {}

    def signature(self) -> Signature | None:
        """Another one whenever the file is another; None where there is none."""
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def answers(self, name: str, family: int) -> bool:
        """Whether the file alone says which addresses of `family` (AF_UNSPEC: of either) `name` has."""
        signature = self.signature()
        if signature != self._signature:
            self._families = self._read()
            self._signature = signature
        families = self._families.get(name.lower())
        return bool(families) and (family == socket.AF_UNSPEC or family in (families or ()))

    def _read(self) -> dict[str, set[int]]:
        known: dict[str, set[int]] = {}
        if not self._is_first():
            return known
        try:
            text = Path(self._path).read_text(errors="replace")
        except OSError:
            return known
        for line in text.splitlines():
            address, *names = line.partition("#")[0].split() or [""]
            for name in names:
                known.setdefault(name.lower(), set()).add(socket.AF_INET6 if ":" in address else socket.AF_INET)
        return known

    def _is_first(self) -> bool:
        """The system may ask others first (nsswitch.conf of glibc); where nothing says so, we do not guess."""
        try:
            lines = Path(self._switch).read_text(errors="replace").splitlines()
        except OSError:
            return False
        return any(line.split()[:2] == ["hosts:", "files"] for line in lines)
