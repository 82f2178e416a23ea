"""Takes in a response's body, unpacks it, and keeps what somebody will look at; all within limits."""

from __future__ import annotations

import zlib

from pinguin.checks.engine.decoding import Decoder, decoder_for
from pinguin.errors import CheckFailed


class Body:
    """limit: bytes, packed and unpacked, beyond which the check fails. keep: unpacked bytes to hold on to.

    received, unpacked: bytes so far. failure: what is wrong; noted, for a parser's callbacks must not raise.
    """

    __slots__ = ("_decoder", "_keep", "_limit", "failure", "kept", "received", "unpacked")

    def __init__(self, limit: int, keep: int) -> None:
        self._limit = limit
        self._keep = keep
        self._decoder: Decoder | None = None
        self.kept = bytearray()
        self.received = 0
        self.unpacked = 0
        self.failure: CheckFailed | None = None

    def packed_as(self, content_encoding: bytes) -> None:
        self._decoder = decoder_for(content_encoding.decode("latin-1"))

    def take(self, chunk: bytes) -> None:
        if self.failure:
            return
        self.received += len(chunk)
        if self.received > self._limit:
            self._too_large()
            return
        data = self._unpack(chunk) if self._decoder else chunk
        self.unpacked += len(data)
        if self.unpacked > self._limit:
            self._too_large()
        room = self._keep - len(self.kept)
        if room > 0:
            self.kept += data[:room]

    def end(self) -> None:
        if self._decoder and not self._decoder.whole:
            self._note("protocol", "the packed body ends too early")

    def _unpack(self, chunk: bytes) -> bytes:
        assert self._decoder
        try:
            return self._decoder.feed(chunk, self._limit - self.unpacked + 1)
        except zlib.error:
            self._note("protocol", "the body is not packed the way its Content-Encoding says")
            return b""

    def _too_large(self) -> None:
        self._note("too_large", f"the body is larger than {self._limit:,} bytes")

    def _note(self, reason: str, message: str) -> None:
        self.failure = self.failure or CheckFailed(reason, message)
