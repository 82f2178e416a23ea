"""Reads one HTTP/1 response out of bytes, whatever they are, within limits."""

from __future__ import annotations

from typing import Any

import httptools

from pinguin.checks.counting import counted
from pinguin.checks.engine.answer import Answer, Headers, first, what_came_so_far
from pinguin.checks.engine.body import Body
from pinguin.checks.evidence import text
from pinguin.errors import CheckFailed
from pinguin.scrub import CUT

MAX_HEAD = 65536


class ResponseReader:
    """Feed it what arrives until `complete`, or `end()` when the connection closes; then take `answer()`.

    limit: bytes of body, packed and unpacked, beyond which the check fails.
    keep: bytes of the unpacked body to hold on to. Nothing needs a body that nobody searches.
    Raises CheckFailed("protocol", "too_large" or "reset"). Informational responses (1xx) are passed over.
    """

    def __init__(self, *, head_only: bool, limit: int, keep: int) -> None:
        self._head_only = head_only
        self._failure: CheckFailed | None = None
        self._fed = 0
        self._first = b""
        self._head = 0
        self._status = 0
        self._headers: Headers = []
        self._body = Body(limit, keep)
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
            self._first = self._first or data[:201]
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
        self._raise()

    def end(self) -> None:
        """The other side has closed the connection."""
        if self.complete:
            return
        if not self._in_body:
            what = "in the middle of the headers" if self._fed else "without an answer"
            raise self._failed("reset", f"the connection was closed {what}")
        announced, received = first(self._headers, b"content-length"), self._body.received
        if announced:
            size = announced.decode("latin-1")
            raise self._failed("reset", f"the connection was closed after {received} of {size} bytes of the body")
        if b"chunked" in first(self._headers, b"transfer-encoding").lower():
            raise self._failed(
                "reset", f"the connection was closed before the last chunk, after {counted(received, 'byte')}"
            )
        self._finish()
        self._raise()

    def answer(self) -> Answer:
        body = self._body
        return Answer(
            status=self._status,
            version=f"HTTP/{self._parser.get_http_version()}",
            headers=self._headers,
            body=bytes(body.kept),
            size=body.unpacked,
            http_bytes=body.received,
        )

    def close(self) -> None:
        """Lets go of the parser, which points back here: so memory is free at once, without the collector."""
        del self._parser

    # What httptools calls. An exception here would come out wrapped, so failures are noted instead.

    # What comes behind the answer (a body that a 304 must not have, another answer) changes nothing of it.

    def on_message_begin(self) -> None:
        if not self.complete:
            self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head += len(name) + len(value)
        if self._head <= MAX_HEAD and not self.complete:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        self._status = status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            return
        self._in_body = True
        self._body.packed_as(first(self._headers, b"content-encoding"))
        if self._head_only or status == 101:
            self.complete = True

    def on_body(self, chunk: bytes) -> None:
        if not self.complete and not self._failure:
            self._body.take(chunk)

    def on_message_complete(self) -> None:
        if self._in_body and not self.complete and not self._failure:
            self._finish()

    def _finish(self) -> None:
        self.complete = True
        self._body.end()

    def _raise(self) -> None:
        if self._failure:
            try:
                raise self._failure
            finally:
                self._failure = None  # it points back here by its traceback: a cycle would wait for the collector
        if self._body.failure:
            raise self._failed(self._body.failure.reason, self._body.failure.message)

    def _note(self, reason: str, message: str) -> None:
        if not self._body.failure:
            self._failure = self._failure or self._failed(reason, message)

    def _failed(self, reason: str, message: str) -> CheckFailed:
        """The failure, with what was seen of the answer up to here."""
        seen: dict[str, Any] = {}
        if self._in_body:
            seen = what_came_so_far(self._status, self._headers, self._body.kept)
        if self._fed and not self._in_body:
            cut = "" if self._first.endswith(b"\n") else CUT  # within a secret, perhaps
            seen["answer_sample"] = text(text(self._first) + cut, 200)
        return CheckFailed(reason, message, evidence=seen)

    def _what_is_wrong(self) -> str:
        if not self._in_body:
            return "the answer is not valid HTTP"
        return f"the chunks of the body are broken, after {counted(self._body.received, 'byte')}"
