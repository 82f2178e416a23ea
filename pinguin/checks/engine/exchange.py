"""One HTTP/1.1 request and its response over one wire."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from time import perf_counter

from pinguin.checks.engine.answer import Answer
from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.response import ResponseReader
from pinguin.checks.engine.stopwatch import Stopwatch, in_words
from pinguin.checks.engine.wire import CHUNK, Wire
from pinguin.errors import CheckFailed, CheckImpossible

BREATH = 16 * CHUNK


async def exchange(wire: Wire, request: bytes, watch: Stopwatch, *, head_only: bool, limit: int, keep: int) -> Answer:
    """Send `request` as it is, receive the whole answer. The rest is `ResponseReader`'s. Raises CheckFailed."""
    reader = ResponseReader(head_only=head_only, limit=limit, keep=keep)
    try:
        watch.begin("sending the request")
        # A server may answer (413, 401, a TLS alert) and close before it has read all. Its answer is what counts.
        with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            await wire.send(request)
        watch.stage("waiting for the first byte")
        await _read(wire, reader, watch)
        return reader.answer()
    except OSError as error:
        raise broken_off(error, wire, watch) from None
    finally:
        reader.close()


def broken_off(error: OSError, wire: Wire, watch: Stopwatch) -> CheckFailed | CheckImpossible:
    """What an error in the middle of an exchange means."""
    # In TLS 1.3 the server says only now that it wanted, or does not like, the client's certificate.
    reason = (isinstance(error, ssl.SSLError) and error.reason) or ""
    if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason:
        words = reason.lower().replace("_", " ")
        return CheckFailed("tls", f"{wire.address} demands another client certificate, or one at all: {words}")
    return failure_of(error, str(wire.address), in_words(watch.total_ms()))


async def _read(wire: Wire, reader: ResponseReader, watch: Stopwatch) -> None:
    data = await wire.receive()
    arrived = watch.done("first_byte")
    watch.stage("reading the answer")
    since_breath = 0
    while data:
        reader.feed(data)
        if reader.complete:
            break
        since_breath += len(data)
        if since_breath > BREATH:
            # A socket that always has more never makes us wait: without a pause the loop, and the timeout with
            # it, would stand still until the limit. TRAP 14
            since_breath = 0
            await asyncio.sleep(0)
        data = await wire.receive()
        arrived = perf_counter()
    else:
        reader.end()
    watch.done("transfer", arrived)  # what reading it took us is no time of the server's
