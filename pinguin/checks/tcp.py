"""Connects to a TCP port, and where asked to, sends a text and waits for one.

The latency is the time from the start of the look-up to the connection, or to the last byte that was needed where
the check waits for a text.
"""

from __future__ import annotations

import re
from typing import Annotated

from pinguin.checks.contract import CheckOptions, Context, Outcome, field
from pinguin.checks.engine.dial import dial
from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.resolve import IpVersion
from pinguin.checks.engine.stopwatch import Stopwatch, in_words
from pinguin.checks.engine.wire import Wire
from pinguin.checks.evidence import text
from pinguin.checks.verdict import too_slow, wrong_host
from pinguin.errors import CheckFailed, InvalidInput

TITLE = "TCP port"

MOST_READ = 65536


class Options(CheckOptions, frozen=True):
    host: Annotated[
        str, field("Host", "A name or an address.", placeholder="db.example.org", min_length=1, max_length=253)
    ]
    port: Annotated[int, field("Port", ge=1, le=65535)]
    send: Annotated[
        str,
        field(
            "Send", r"Sent after connecting. \r, \n, \t, \\ and \x00 stand for bytes.", advanced=True, max_length=4000
        ),
    ] = ""
    expect: Annotated[
        str,
        field(
            "Expect",
            "A text that the answer must contain, written like the one to send.",
            advanced=True,
            max_length=1000,
        ),
    ] = ""
    slow_ms: Annotated[
        int, field("Slow above", "A check that takes longer is degraded. 0 is no limit.", unit="ms", ge=0, le=600_000)
    ] = 0
    ip_version: Annotated[IpVersion, field("IP version", "Which addresses of the name to use.", advanced=True)] = "any"

    def __post_init__(self) -> None:
        wrong = wrong_host(self.host)
        if wrong:
            raise InvalidInput({"host": wrong})

    def target(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def check(options: Options, context: Context) -> Outcome:
    watch = Stopwatch(context)
    wire = await dial(options.host, options.port, options.ip_version, context, watch)
    try:
        await _converse(wire, options, context, watch)
    except OSError as error:
        raise failure_of(error, str(wire.address), in_words(watch.total_ms())) from None
    finally:
        wire.close()
    latency = watch.total_ms()
    return Outcome(latency, degraded=too_slow(latency, options.slow_ms))


async def _converse(wire: Wire, options: Options, context: Context, watch: Stopwatch) -> None:
    if options.send:
        watch.stage("sending")
        await wire.send(as_bytes(options.send))
    if not options.expect:
        return
    watch.begin("waiting for the expected text")
    expected, answer = as_bytes(options.expect), bytearray()
    while expected not in answer:
        data = await wire.receive(MOST_READ)
        if not answer:
            watch.done("first_byte")
        answer += data
        context.evidence["answer"] = text(bytes(answer[:500]), 500)
        if not data or len(answer) > MOST_READ:
            raise _not_there(options.expect, len(answer), watch)


def _not_there(expected: str, seen: int, watch: Stopwatch) -> CheckFailed:
    if not seen:
        return CheckFailed("reset", "the connection was closed without an answer")
    message = f"“{expected[:100]}” is not in the answer of {seen} bytes"
    return CheckFailed("answer", message, latency_ms=watch.total_ms())


_ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}


def as_bytes(words: str) -> bytes:
    r"""The bytes of `words` in UTF-8, where \r, \n, \t, \\ and \xHH stand for one byte each."""

    def one(match: re.Match[bytes]) -> bytes:
        return _ESCAPES.get(match[1]) or bytes.fromhex(match[1][1:].decode())

    return re.sub(rb"\\([rnt\\]|x[0-9a-fA-F]{2})", one, words.encode("utf-8"))
