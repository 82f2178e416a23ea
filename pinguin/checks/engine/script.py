"""What is sent to a plain TCP server, and what its answers must be, step by step."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

import re2

from pinguin.checks.counting import counted
from pinguin.checks.engine.pattern import EFFORT, MOST_STEPS
from pinguin.checks.engine.stopwatch import Stopwatch
from pinguin.checks.engine.wire import Wire
from pinguin.checks.evidence import text
from pinguin.errors import CheckFailed

Verb = Literal["send", "expect", "starts", "matches"]
VERBS = ("send", "expect", "starts", "matches")

MOST_READ = 65536
SECRET = "{secret}"  # noqa: S105 -- the word that stands for it
HIDDEN = "•••"


@dataclass(frozen=True, slots=True)
class Step:
    """send: the words go out. The others wait until the unread answer contains, begins with or matches them (RE2)."""

    verb: Verb
    words: str

    @classmethod
    def parse(cls, line: str) -> Step:
        """`expect +OK`. Raises ValueError with what is wrong."""
        verb, _, words = line.strip().partition(" ")
        for known in VERBS:
            if verb == known and words.strip():
                step = cls(known, words.strip())  # type: ignore[arg-type]
                step.check()
                return step
        raise ValueError(f"{line.strip()[:40]!r} must be one of {', '.join(VERBS)}, a space and a text")

    def check(self) -> None:
        if self.verb == "matches":
            pattern(self.words)


def pattern(words: str) -> Any:
    """A regular expression over bytes that takes linear time, whatever it is and whatever it meets. TRAP 19"""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes are bytes, whether they are UTF-8 or not
    options.log_errors = False
    try:
        compiled = re2.compile(words.encode("utf-8"), options)
    except re2.error as error:
        why = error.args[0] if error.args else "not a regular expression"
        why = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
        raise ValueError(f"{words[:40]!r} is not a regular expression (RE2): {why[:100]}") from None
    if compiled.programsize > MOST_STEPS:
        raise ValueError(f"{words[:40]!r} is too large a regular expression; repeat less")
    return compiled


_ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}


def as_bytes(words: str) -> bytes:
    r"""The bytes of `words` in UTF-8, where \r, \n, \t, \\ and \xHH stand for one byte each."""

    def one(match: re.Match[bytes]) -> bytes:
        return _ESCAPES.get(match[1]) or bytes.fromhex(match[1][1:].decode())

    return re.sub(rb"\\([rnt\\]|x[0-9a-fA-F]{2})", one, words.encode("utf-8"))


@dataclass(slots=True)
class Talk:
    """One run of a script. secret: stands for `{secret}` in what is sent, and never for anything that is shown."""

    wire: Wire
    watch: Stopwatch
    evidence: dict[str, Any]
    secret: str = field(default="", repr=False)
    unread: bytearray = field(default_factory=bytearray)
    seen: bytearray = field(default_factory=bytearray)

    async def run(self, steps: list[Step]) -> None:
        """Raises OSError, CheckFailed("answer" or "reset")."""
        for number, step in enumerate(steps, 1):
            where = f"step {number}: " if len([each for each in steps if each.verb != "send"]) > 1 else ""
            if step.verb == "send":
                self.watch.stage("sending")
                await self.wire.send(self._outgoing(step.words))
            else:
                await self._wait_for(step, where)

    def _outgoing(self, words: str) -> bytes:
        before, *after = words.split(SECRET)
        return self.secret.encode().join([as_bytes(before), *map(as_bytes, after)]) if after else as_bytes(words)

    async def _wait_for(self, step: Step, where: str) -> None:
        self.watch.begin(f"{where}waiting for the expected text")
        search = _Search(step)
        while True:
            end = search.end(self.unread)
            if end is not None:
                del self.unread[:end]
                return
            size = len(self.unread)
            if search.hopeless(self.unread) or size > MOST_READ:
                raise self._not_there(step, where)
            if not await self._receive():
                raise self._closed(step, where)
            self.watch.stage(
                f"{where}waiting for the expected text, after {counted(len(self.unread), 'byte')} of another one"
            )

    async def _receive(self) -> bool:
        data = await self.wire.receive(MOST_READ)
        if data and not self.seen:
            self.watch.done("first_byte")
        self.take(data)
        return bool(data)

    def take(self, data: bytes) -> None:
        self.unread += data
        if data and len(self.seen) < 500:
            self.seen += data[:500]
            self.evidence["answer"] = self._shown()

    def _shown(self) -> str:
        answer = text(bytes(self.seen[:500]), 500)
        if not self.secret:
            return answer
        answer = answer.replace(self.secret, HIDDEN)
        # Its rest may be cut off, or come later.
        for size in range(len(self.secret) - 1, 3, -1):
            if answer.endswith(self.secret[:size]):
                return answer[:-size] + HIDDEN
        return answer

    def _closed(self, step: Step, where: str) -> CheckFailed:
        if not self.unread:
            words = "the connection was closed without an answer"
            return CheckFailed("reset", where + words, latency_ms=self.watch.total_ms() if self.seen else None)
        return self._not_there(step, where)

    def _not_there(self, step: Step, where: str) -> CheckFailed:
        wanted, size = f"“{step.words[:100]}”", counted(len(self.unread), "byte")
        sentence = {
            "expect": f"{wanted} is not in the answer of {size}",
            "starts": f"the answer of {size} does not begin with {wanted}",
            "matches": f"the answer of {size} does not match {wanted}",
        }[step.verb]
        return CheckFailed("answer", where + sentence, latency_ms=self.watch.total_ms())


class _Search:
    """Looks for one step's words in what has arrived so far, without looking twice at the same bytes."""

    def __init__(self, step: Step) -> None:
        self._verb = step.verb
        self._words = b"" if step.verb == "matches" else as_bytes(step.words)
        self._pattern = pattern(step.words) if step.verb == "matches" else None
        self._looked = 0
        self._effort = 0

    def end(self, unread: bytearray) -> int | None:
        """Where the match ends, or None."""
        if self._pattern is not None:
            # A server that drips makes us look again at each byte: all looks together are bounded, too.
            self._effort += len(unread) * self._pattern.programsize
            found = self._pattern.search(bytes(unread)) if unread else None
            return None if found is None else int(found.end())
        if self._verb == "starts":
            return len(self._words) if unread.startswith(self._words) else None
        at = unread.find(self._words, max(0, self._looked - len(self._words)))
        self._looked = len(unread)
        return None if at < 0 else at + len(self._words)

    def hopeless(self, unread: bytearray) -> bool:
        if self._verb == "matches":
            return self._effort > EFFORT
        return self._verb == "starts" and not self._words.startswith(bytes(unread[: len(self._words)]))
