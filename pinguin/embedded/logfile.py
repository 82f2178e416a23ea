"""The log of one child: it appends by itself, so its last words are there however it or we end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LARGEST = 10_000_000


class LogFile:
    def __init__(self, path: Path, largest: int = LARGEST) -> None:
        self.path = path
        self.largest = largest

    @contextmanager
    def open(self) -> Iterator[int]:
        fd = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            yield fd
        finally:
            os.close(fd)

    def rotate_if_large(self) -> None:
        """Copies and empties it, as the child keeps its descriptor. A line written in between is lost."""
        if not self.path.exists() or self.path.stat().st_size <= self.largest:
            return
        shutil.copyfile(self.path, self.path.with_name(self.path.name + ".1"))
        os.truncate(self.path, 0)

    def tail(self, most: int = 2000) -> str:
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - most))
            return file.read().decode(errors="replace").strip()
