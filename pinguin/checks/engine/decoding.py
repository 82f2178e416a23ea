"""Undoes gzip and deflate, never beyond a limit: a kilobyte may unpack to a gigabyte. TRAP 14"""

from __future__ import annotations

import zlib

GZIP = 16 + zlib.MAX_WBITS


class Decoder:
    """Feeds on the packed body, piece by piece. Raises zlib.error where it is not what its header announced."""

    def __init__(self, encoding: str) -> None:
        self._gzip = encoding != "deflate"
        self._stream = zlib.decompressobj(GZIP if self._gzip else zlib.MAX_WBITS)
        self._fresh = True

    def feed(self, data: bytes, most: int) -> bytes:
        """The next unpacked bytes, at most `most` (at least 1); the caller stops when it has enough."""
        out = bytearray()
        while data and len(out) < most:
            out += self._some(data, most - len(out))
            if not self._stream.eof:
                break
            data = self._stream.unused_data
            if not self._gzip:
                break
            if data:  # a gzip file may be several, one after the other
                self._stream = zlib.decompressobj(GZIP)
        return bytes(out)

    @property
    def whole(self) -> bool:
        return self._stream.eof or self._fresh

    def _some(self, data: bytes, most: int) -> bytes:
        try:
            return self._stream.decompress(data, most)
        except zlib.error:
            if self._gzip or not self._fresh:
                raise
            # `deflate` means zlib's format, but servers have always sent the bare stream as well.
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._stream.decompress(data, most)
        finally:
            self._fresh = False


def decoder_for(content_encoding: str) -> Decoder | None:
    """None where the body is to be taken as it is."""
    encoding = content_encoding.strip().lower()
    return Decoder(encoding) if encoding in ("gzip", "x-gzip", "deflate") else None
