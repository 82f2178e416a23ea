"""Reads one HTTP/1 response out of bytes, whatever they are, within limits."""

from __future__ import annotations

import zlib
from typing import Any

import httptools
import httpx

from pinguin.checks.engine.decoding import Decoder, decoder_for
from pinguin.checks.evidence import text
from pinguin.errors import CheckFailed

MAX_HEAD = 65536
SAMPLE = 2000


class ResponseReader:
    """Feed it what arrives until `complete`, or `end()` when the connection closes; then take `response()`.

    limit: bytes of body, packed and unpacked, beyond which the check fails.
    keep: bytes of the unpacked body to hold on to. Nothing needs a body that nobody searches.
    Raises CheckFailed("protocol", "too_large" or "reset"). Informational responses (1xx) are passed over.
    """

    def __init__(self, *, head_only: bool, limit: int, keep: int) -> None:
        self._head_only = head_only
        self._limit = limit
        self._keep = keep
        self._failure: CheckFailed | None = None
        self._fed = 0
        self._first = b""
        self._head = 0
        self._received = 0
        self._unpacked = 0
        self._decoder: Decoder | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._in_body = False
        self.complete = False
        self._parser = httptools.HttpResponseParser(self)
        # What browsers and curl take as well. We read one answer of a connection of our own: there is nothing
        # to smuggle, and a site that everybody can read is not down.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_data_after_close=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    def feed(self, data: bytes) -> None:
        if not self._in_body:
            self._first = self._first or data[:200]
            self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.complete = True
        except httptools.HttpParserError:
            if not self.complete:  # what comes after the answer is not ours to judge
                self._note("protocol", self._what_is_wrong())
        if self._head > MAX_HEAD or (not self._in_body and self._fed > MAX_HEAD):
            self._note("too_large", f"the headers are larger than {MAX_HEAD // 1024} KiB")
        if self._failure:
            raise self._failure

    def end(self) -> None:
        """The other side has closed the connection."""
        if self.complete:
            return
        if not self._in_body:
            what = "in the middle of the headers" if self._fed else "without an answer"
            raise self._failed("reset", f"the connection was closed {what}")
        announced = self._header(b"content-length")
        if announced:
            size = announced.decode("latin-1")
            raise self._failed("reset", f"the connection was closed after {self._received} of {size} bytes of the body")
        if b"chunked" in self._header(b"transfer-encoding").lower():
            raise self._failed(
                "reset", f"the connection was closed before the last chunk, after {self._received} bytes"
            )
        self._finish()
        if self._failure:
            raise self._failure

    def response(self, request: httpx.Request) -> httpx.Response:
        """The answer, to be `read()` by whoever wants its content, which is unpacked already and cut to `keep`."""
        status = self._parser.get_status_code()
        version = self._parser.get_http_version()
        # With the header, httpx would unpack the content itself, and without a limit.
        headers = [item for item in self._headers if item[0].lower() != b"content-encoding"]
        extensions = {"http_version": b"HTTP/" + version.encode(), "body_bytes": self._unpacked}
        # As a stream that nobody has to read: most checks look at the status alone, and httpx takes its time.
        content = httpx.ByteStream(bytes(self._body))
        return httpx.Response(status, headers=headers, stream=content, request=request, extensions=extensions)

    def close(self) -> None:
        """Lets go of the parser, which points back here: so memory is free at once, without the collector."""
        del self._parser

    # What httptools calls. An exception here would come out wrapped, so failures are noted instead.

    def on_message_begin(self) -> None:
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head += len(name) + len(value)
        if self._head <= MAX_HEAD:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            return
        self._in_body = True
        self._decoder = decoder_for(self._header(b"content-encoding").decode("latin-1"))
        if self._head_only or status == 101:
            self.complete = True

    def on_body(self, chunk: bytes) -> None:
        if self.complete or self._failure:
            return
        self._received += len(chunk)
        if self._received > self._limit:
            self._too_large()
        else:
            self._take(self._unpack(chunk) if self._decoder else chunk)

    def on_message_complete(self) -> None:
        if self._in_body and not self.complete and not self._failure:
            self._finish()

    def _unpack(self, chunk: bytes) -> bytes:
        assert self._decoder
        try:
            return self._decoder.feed(chunk, self._limit - self._unpacked + 1)
        except zlib.error:
            self._note("protocol", "the body is not packed the way its Content-Encoding says")
            return b""

    def _take(self, data: bytes) -> None:
        self._unpacked += len(data)
        if self._unpacked > self._limit:
            self._too_large()
        room = self._keep - len(self._body)
        if room > 0:
            self._body += data[:room]

    def _finish(self) -> None:
        self.complete = True
        if self._decoder and not self._decoder.whole:
            self._note("protocol", "the packed body ends too early")

    def _too_large(self) -> None:
        self._note("too_large", f"the body is larger than {self._limit} bytes")

    def _note(self, reason: str, message: str) -> None:
        self._failure = self._failure or self._failed(reason, message)

    def _failed(self, reason: str, message: str) -> CheckFailed:
        """The failure, with what was seen of the answer up to here."""
        seen: dict[str, Any] = {"status_code": self._parser.get_status_code()} if self._in_body else {}
        if self._fed and not self._in_body:
            seen["answer_sample"] = text(self._first, 200)
        return CheckFailed(reason, message, evidence=seen)

    def _header(self, name: bytes) -> bytes:
        return next((value for key, value in self._headers if key.lower() == name), b"")

    def _what_is_wrong(self) -> str:
        if not self._in_body:
            return "the answer is not valid HTTP"
        return f"the chunks of the body are broken, after {self._received} bytes"
