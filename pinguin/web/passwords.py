"""Argon2id, off the event loop, and at most two at a time: each takes 64 MiB. Few may wait for their turn."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from litestar.exceptions import TooManyRequestsException

SHORTEST = 12
LONGEST = 200
MOST_WAITING = 16

COMMON = (
    "password", "passwort", "passw0rd", "pass", "word", "admin", "administrator", "root", "user", "login",
    "welcome", "willkommen", "letmein", "changeme", "default", "secret", "geheim", "test", "guest", "master",
    "monitor", "pinguin", "pingu", "penguin", "penguins", "uptime", "qwerty", "qwertz", "azerty", "asdf", "zxcv",
    "yxcv", "qwe", "asd", "zxc", "qaz", "wsx", "edc", "iloveyou", "love", "sunshine", "princess", "dragon",
    "monkey", "football", "baseball", "superman", "batman", "shadow", "michael", "jordan", "hunter", "summer",
    "winter", "spring", "autumn", "sommer", "abc", "abcd", "abcdef", "abcdefgh", "xyz", "hello", "hallo",
    "computer", "internet", "server", "trustno", "starwars", "whatever", "freedom", "flower", "cheese", "ninja",
    "mustang", "soccer", "hockey", "killer", "pokemon", "naruto", "access", "correct", "horse", "battery", "staple",
    "january", "december", "monday", "sunday",
)  # fmt: skip
"""What leaked passwords are made of: the first places of the usual lists."""
_COMMON = re.compile("|".join(sorted(map(re.escape, COMMON), key=len, reverse=True)))
_YEAR = re.compile(r"(19|20)\d\d")
_DIFFERENT, _OWN, _RUN = 5, 5, 3
"""Different characters that a password has; that are left of it without what is common; and of how many a run is."""


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
        except (Argon2Error, InvalidHashError, UnicodeEncodeError):
            return False


def wrong_password(password: str, name: str = "") -> str | None:
    """What is wrong with a new password of the account `name`, or None."""
    if len(password) < SHORTEST:
        return f"must have at least {SHORTEST} characters"
    if len(password) > LONGEST:
        return f"must have at most {LONGEST} characters"
    if len(set(password)) < _DIFFERENT:
        return "repeats too few characters; take a sentence that only you would say"
    if not _is_own(password.lower(), name.lower()):
        return "is made of what everybody tries first; take a sentence that only you would say"
    return None


def _is_own(password: str, name: str) -> bool:
    """Whether something is left without common words, the name, years, and runs such as 1234, dcba or !!!."""
    if len(name) > 2:
        password = password.replace(name, " ")
    left = _without_runs(_YEAR.sub(" ", _COMMON.sub(" ", password)))
    return len(set(left) - {" "}) >= _OWN


def _without_runs(text: str) -> str:
    kept, run = "", ""
    for letter in text + " ":
        steps = {ord(after) - ord(before) for before, after in itertools.pairwise(run + letter)}
        if run and not (len(steps) == 1 and steps <= {-1, 0, 1}):
            kept += run if len(run) < _RUN else " "
            run = ""
        run += letter
    return kept


def repeated(password: str, again: str | None) -> str | None:
    return None if again == password else "differs from the password"
