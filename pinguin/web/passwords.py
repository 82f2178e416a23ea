"""Argon2id, off the event loop, and at most two at a time: each takes 64 MiB. Few may wait for their turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from litestar.exceptions import TooManyRequestsException

SHORTEST = 10
LONGEST = 200
MOST_WAITING = 16


class Passwords:
    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(2)
        self._here = 0
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        async with self._turn():
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password. Takes as long where there is no such account (None)."""
        async with self._turn():
            if self._nobody is None:  # before the first answer, not after the first unknown name: time must not tell
                self._nobody = await asyncio.to_thread(self._hasher.hash, "nobody has this password")
            good = await asyncio.to_thread(self._verify, password_hash or self._nobody, password)
        return good and password_hash is not None

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._here >= MOST_WAITING + 2:
            raise TooManyRequestsException("Too many people are signing in at once. Try again in a few seconds.")
        self._here += 1
        try:
            async with self._turns:
                yield
        finally:
            self._here -= 1

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (Argon2Error, InvalidHashError):
            return False


def wrong_password(password: str) -> str | None:
    """What is wrong with a new password, or None."""
    if len(password) < SHORTEST:
        return f"must have at least {SHORTEST} characters"
    if len(password) > LONGEST:
        return f"must have at most {LONGEST} characters"
    return None
