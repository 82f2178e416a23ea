"""One run of each parser over one input that is made up. It ends in a value or in a reason of ours: else it crashed."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from functools import cache, lru_cache
from typing import Any, get_args

import dns.message

from pinguin.checks import check_type
from pinguin.checks.conditions import judge
from pinguin.checks.conditions.syntax import parse
from pinguin.checks.contract import Context, Resources
from pinguin.checks.dns import answer as dns_answer
from pinguin.checks.engine import certificate, chain, dns_query, exchange, http2, jsonpath, pattern, starttls
from pinguin.checks.engine.dns_types import RecordType
from pinguin.checks.engine.response import ResponseReader
from pinguin.checks.engine.stopwatch import Stopwatch
from pinguin.checks.evidence import bounded
from pinguin.checks.http.subjects import SUBJECTS, Seen
from pinguin.errors import CheckFailed, CheckImpossible, InvalidInput
from pinguin.model import REASONS
from tests.checks.certificates import house
from tests.fuzz import inputs
from tests.fuzz.inputs import Rnd

LIMIT = 1_000_000
"""Bytes of body beyond which an answer is too large."""


class Fed:
    """A wire that gives what it was fed, and then ends; what is sent over it is gone."""

    address = "127.0.0.1:1"
    sock = None

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces[::-1]

    async def send(self, data: bytes) -> None:
        pass

    async def receive(self, most: int = 65536) -> bytes:
        if not self._pieces:
            return b""
        piece = self._pieces.pop()
        if len(piece) > most:
            self._pieces.append(piece[most:])
        return piece[:most]


def _watch() -> Stopwatch:
    return Stopwatch(Context(timeout=5, resources=Resources()))


def _finished(step: Coroutine[Any, Any, Any]) -> Any:
    """The end of a coroutine that waits for nothing but a turn of the loop."""
    try:
        while True:
            step.send(None)
    except StopIteration as end:
        return end.value


def http1(rnd: Rnd) -> str:
    wire: Any = Fed(inputs.pieces(rnd, inputs.http1(rnd)))
    head_only = rnd.random() < 0.1
    keep = rnd.choice((0, 2000, LIMIT))
    answer = _finished(exchange.exchange(wire, b"", _watch(), head_only=head_only, limit=LIMIT, keep=keep))
    assert len(answer.body) <= keep
    assert answer.size <= LIMIT
    _looked_at(rnd, answer)
    return "answer"


def http2_frames(rnd: Rnd) -> str:
    wire: Any = Fed(inputs.pieces(rnd, inputs.http2(rnd)))
    headers = [(b":method", b"GET"), (b":authority", b"a"), (b":scheme", b"https"), (b":path", b"/")]
    content = rnd.choice((b"", b"x" * 100_000))
    answer = _finished(http2.exchange(wire, headers, content, _watch(), limit=LIMIT, keep=2000))
    assert answer.size <= LIMIT
    return "answer"


def _looked_at(rnd: Rnd, answer: Any) -> None:
    bounded({"text": answer.text, "headers": {str(name): value for name, value in answer.headers}})
    lines = [inputs.condition(rnd, list(SUBJECTS)) for _ in range(3)]
    for line in lines:
        try:
            asked = parse([line], SUBJECTS)
        except (InvalidInput, ValueError):
            continue
        judge(asked, Seen(answer, 1.0, Context(5, Resources(), phases={"dns": 1.0}), {}, None, 0))


def reader(rnd: Rnd) -> str:
    """Bytes that never saw an HTTP server."""
    parser = ResponseReader(head_only=False, limit=LIMIT, keep=100)
    try:
        for piece in inputs.pieces(rnd, rnd.randbytes(rnd.choice((1, 50, 3000)))):
            parser.feed(piece)
        parser.end()
        return str(parser.answer().status)[:1]
    finally:
        parser.close()


def dns_message(rnd: Rnd) -> str:
    kind = rnd.choice(get_args(RecordType))
    question = dns.message.make_query("example.test", kind)
    try:
        message = dns_query.parsed(inputs.dns_answer(rnd, question, kind), question)
    except dns_query.Truncated:
        return "truncated"
    if message is None:
        return "no answer"
    wanted = _wanted(kind)
    answer = dns_answer.read(message, wanted)
    dns_answer.check_code(answer, wanted, 1.0)
    bounded(answer.facts())
    list(dns_answer.findings(answer, wanted))
    return "answer"


@cache
def _wanted(kind: str) -> Any:
    options: Any = check_type("dns").parse({"name": "example.test", "record_type": kind, "expected": ["x"]})
    return options.wanted()


def dialogue(rnd: Rnd) -> str:
    protocol = rnd.choice(sorted(inputs.STARTTLS))
    said = inputs.STARTTLS[protocol]
    if rnd.random() < 0.1:
        said *= 400
    wire: Any = Fed(inputs.pieces(rnd, inputs.mutated(rnd, said)))
    _finished(starttls.start(protocol, wire, _watch()))  # type: ignore[arg-type]
    return "agreed"


def json_path(rnd: Rnd) -> str:
    try:
        path = jsonpath.path(inputs.json_path(rnd))
    except ValueError:
        return "not a path"
    document = inputs.document(rnd, rnd.choice((2, 6)))
    if rnd.random() < 0.01:
        document = {"a": [document] * 100_000}
    try:
        assert len(path.values(document)) <= jsonpath.MOST_FOUND
    except jsonpath.TooMuch:
        return "too much"
    return "values"


def expression(rnd: Rnd) -> str:
    try:
        compiled = pattern.pattern(inputs.expression(rnd))
    except ValueError:
        return "not an expression"
    text = rnd.choice(("a", "ab1 ", "x\u20ac")) * rnd.choice((1, 50, 20_000))
    return str(compiled.found_in(text))


@lru_cache(maxsize=1)
def _certificates() -> list[bytes]:
    return [made.certificate for made in house()]


def certificates(rnd: Rnd) -> str:
    der = inputs.mutated(rnd, rnd.choice(_certificates()), 3)
    read, link = certificate.read(der), chain.read_link(der)
    if read:
        bounded(read.facts("example.test", certificate.now()))
    if link:
        bounded(link.facts(certificate.now()))
    return "read" if read and link else "unreadable"


TARGETS: dict[str, Callable[[Rnd], str]] = {
    each.__name__: each
    for each in (http1, http2_frames, reader, dns_message, dialogue, json_path, expression, certificates)
}


def once(name: str, seed: int) -> str:
    """What became of one input, in a word. Raises whatever is none of our own ways to end."""
    try:
        return TARGETS[name](random.Random(seed))
    except (CheckFailed, CheckImpossible) as error:
        failure: CheckFailed | CheckImpossible = error
    assert failure.reason in REASONS, failure.reason
    assert failure.message
    bounded(failure.evidence if isinstance(failure, CheckFailed) else {})
    return failure.reason
