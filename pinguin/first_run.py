"""The token that makes the first account: whoever can read it runs Pinguin, and a stranger cannot.

It is PINGUIN_SETUP_TOKEN, or the file `setup.token` of the data folder, for its owner alone. The console shows it in
the address of the first visit. With the first account it is of no use any more, and the file goes.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from pinguin.settings import Settings

FILE = "setup.token"


class FirstRun:
    def __init__(self, settings: Settings) -> None:
        self._given = settings.setup_token
        self._path = settings.data / FILE

    @property
    def token(self) -> str:
        return self._given or self._kept() or self._in_memory

    @property
    def where(self) -> str:
        """Where somebody finds it who has not seen the console."""
        return "PINGUIN_SETUP_TOKEN" if self._given else str(self._path)

    def address(self, base: str) -> str:
        """Of the first visit, below the pages' address `base`."""
        return f"{base.rstrip('/')}/setup?token={self.token}"

    def good(self, given: str) -> bool:
        return hmac.compare_digest(_digest(given), _digest(self.token))

    def done(self) -> None:
        """There is an account now."""
        if self._given:
            return
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    @cached_property
    def _in_memory(self) -> str:
        """Where nothing can be written: of this process alone."""
        return secrets.token_urlsafe(24)

    def _kept(self) -> str:
        """The file's, which is made where there is none; "" where that cannot be. Of two that race, one makes it."""
        try:
            if not self._path.exists():
                self._make()
            return self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def _make(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._path.with_name(f"{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(24) + "\n")
            with suppress(FileExistsError):
                os.link(new, self._path)
        finally:
            Path(new).unlink(missing_ok=True)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
