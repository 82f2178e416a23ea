"""One HTTP/1.1 request and its response over one wire. httpx's types are the language, the transport is ours."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import httpx

from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.response import ResponseReader
from pinguin.checks.engine.stopwatch import Stopwatch, in_words
from pinguin.checks.engine.wire import CHUNK, Wire

BREATH = 16 * CHUNK


async def exchange(wire: Wire, request: httpx.Request, watch: Stopwatch, *, limit: int, keep: int) -> httpx.Response:
    """Send `request`, receive the whole answer. limit and keep are `ResponseReader`'s. Raises CheckFailed.

    The response's extension `body_bytes` is the size of its body, unpacked.
    """
    reader = ResponseReader(head_only=request.method == "HEAD", limit=limit, keep=keep)
    try:
        await _ask(wire, request, watch)
        await _read(wire, reader, watch)
        return reader.response(request)
    except OSError as error:
        raise failure_of(error, str(wire.address), in_words(watch.total_ms())) from None
    finally:
        reader.close()


def serialise(request: httpx.Request) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % item for item in request.headers.raw]
    return b"\r\n".join(lines) + b"\r\n\r\n" + request.content


async def _ask(wire: Wire, request: httpx.Request, watch: Stopwatch) -> None:
    watch.begin("sending the request")
    # A server may answer (413, 401) and close before it has read everything. Its answer is what counts.
    with suppress(BrokenPipeError, ConnectionResetError):
        await wire.send(serialise(request))
    watch.stage("waiting for the first byte")


async def _read(wire: Wire, reader: ResponseReader, watch: Stopwatch) -> None:
    data = await wire.receive()
    watch.done("first_byte")
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
    else:
        reader.end()
    watch.done("transfer")
