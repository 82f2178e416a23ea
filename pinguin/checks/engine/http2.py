"""One HTTP/2 request and its response over one wire, with h2 as the grammar and our own limits."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from time import perf_counter

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from pinguin.checks.counting import counted
from pinguin.checks.engine.answer import Answer, Headers, first, what_came_so_far
from pinguin.checks.engine.body import Body
from pinguin.checks.engine.exchange import BREATH, broken_off
from pinguin.checks.engine.response import MAX_HEAD
from pinguin.checks.engine.stopwatch import Stopwatch
from pinguin.checks.engine.wire import Wire
from pinguin.errors import CheckFailed

_WINDOW = 1 << 20
_STREAM = 1
MOST_UNEXPLAINED = 2 * MAX_HEAD
"""Bytes that come in without anything to make of them."""

_CODES = h2.settings.SettingCodes


async def exchange(wire: Wire, headers: Headers, content: bytes, watch: Stopwatch, *, limit: int, keep: int) -> Answer:
    """Send `headers` (pseudo-headers first) and `content`, receive the whole answer. Raises CheckFailed."""
    talk = _Talk(wire, watch, Body(limit, keep))
    try:
        await talk.ask(headers, content)
        await talk.until_ended()
        return talk.answer()
    except (h2.exceptions.H2Error, ValueError) as error:
        # ValueError: hyperframe and hpack raise it of frames that h2 does not catch.
        raise talk.failed("protocol", f"the answer is not valid HTTP/2: {_words(error)}") from None
    except OSError as error:
        raise broken_off(error, wire, watch) from None


class _Talk:
    def __init__(self, wire: Wire, watch: Stopwatch, body: Body) -> None:
        self._wire = wire
        self._watch = watch
        self._body = body
        self._headers: Headers = []
        self._status = 0
        self._ended = False
        self._settled = False
        self._unexplained = 0
        self._arrived = watch.started
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        self._h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                _CODES.ENABLE_PUSH: 0,
                _CODES.INITIAL_WINDOW_SIZE: _WINDOW,
                _CODES.MAX_HEADER_LIST_SIZE: MAX_HEAD,
            },
        )

    async def ask(self, headers: Headers, content: bytes) -> None:
        self._watch.begin("sending the request")
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW)
        self._h2.send_headers(_STREAM, headers, end_stream=not content)
        await self._flush()
        while content and not self._settled:  # how much of a body the server takes at once is in its settings
            await self._hear()
        rest = memoryview(content)
        while rest and not self._ended:
            room = min(self._h2.local_flow_control_window(_STREAM), self._h2.max_outbound_frame_size, len(rest))
            if room:
                self._h2.send_data(_STREAM, bytes(rest[:room]), end_stream=room == len(rest))
                rest = rest[room:]
                await self._flush()
            else:
                await self._hear()
        self._watch.stage("waiting for the first byte")

    async def until_ended(self) -> None:
        since_breath = 0
        while not self._ended:
            since_breath += await self._hear()
            if since_breath > BREATH:  # the loop, and the timeout with it, must have its turn. TRAP 14
                since_breath = 0
                await asyncio.sleep(0)
        self._body.end()
        self._raise()
        self._watch.done("transfer", self._arrived)  # what reading it took us is no time of the server's

    def answer(self) -> Answer:
        body = self._body
        return Answer(self._status, "HTTP/2", self._headers, bytes(body.kept), body.unpacked, body.received)

    def failed(self, reason: str, message: str) -> CheckFailed:
        seen = what_came_so_far(self._status, self._headers, self._body.kept) if self._status else {}
        return CheckFailed(reason, message, evidence=seen)

    async def _hear(self) -> int:
        """Take in what arrives next; gives its size."""
        data = await self._wire.receive()
        self._arrived = perf_counter()
        if not data:
            what = f"after {counted(self._body.received, 'byte')} of the body" if self._status else "without an answer"
            raise self.failed("reset", f"the connection was closed {what}")
        if not self._settled and data.startswith(b"HTTP/"):
            raise self.failed("protocol", "the answer is HTTP/1, although the server chose HTTP/2")
        events = self._h2.receive_data(data)
        # h2 waits for the end of a frame of 16 MB before it says that it is too long.
        self._unexplained = 0 if events else self._unexplained + len(data)
        if self._unexplained > MOST_UNEXPLAINED:
            raise self.failed("protocol", "the answer is not valid HTTP/2: a frame or a header without an end")
        for event in events:
            self._take(event)
        self._raise()
        if not self._ended:
            await self._flush()
        return len(data)

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived():
                self._begin(list(event.headers or ()))
            case h2.events.DataReceived():
                self._body.take(event.data or b"")
                self._h2.acknowledge_received_data(event.flow_controlled_length or 0, _STREAM)
            case h2.events.RemoteSettingsChanged():
                self._settled = True
            case h2.events.StreamEnded():
                self._ended = True
            case h2.events.StreamReset():
                raise self.failed("reset", f"the server gave the request up ({_code(event.error_code)})")
            case h2.events.ConnectionTerminated() if not self._ended:
                raise self.failed("reset", f"the server ended the connection ({_code(event.error_code)})")

    def _begin(self, headers: Headers) -> None:
        self._watch.done("first_byte", self._arrived)
        self._watch.stage("reading the answer")
        self._status = int(first(headers, b":status"))
        self._headers = [item for item in headers if not item[0].startswith(b":")]
        self._body.packed_as(first(headers, b"content-encoding"))

    def _raise(self) -> None:
        if self._body.failure:
            raise self.failed(self._body.failure.reason, self._body.failure.message)

    async def _flush(self) -> None:
        # A server may answer, or say in TLS what it misses, and close before it has read everything.
        with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            await self._wire.send(self._h2.data_to_send())


def _code(code: int | None) -> str:
    try:
        return h2.errors.ErrorCodes(code or 0).name
    except ValueError:
        return f"error {code}"


def _words(error: Exception) -> str:
    return str(error)[:100] or type(error).__name__
