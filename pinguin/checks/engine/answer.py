"""A response as the HTTP check looks at it: light, for most checks look at the status alone."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pinguin.checks.evidence import text
from pinguin.scrub import CUT

Headers = list[tuple[bytes, bytes]]

SAMPLE = 2000
"""Bytes of a body that show how it begins."""
SHOWN_HEADERS = 20
_KEPT_BACK = {b"set-cookie", b"location", b"authorization", b"proxy-authorization", b"cookie"}

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_NO_CHARSETS = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7"}
"""Python decodes these too, at a price that an answer of others must not set."""


class Answer:
    """version: `HTTP/1.1`. headers: as they came. body: unpacked, cut to what was to be kept. size: of it all.

    http_bytes: the body's size as it was transferred.
    """

    __slots__ = ("body", "headers", "http_bytes", "size", "status", "version")

    def __init__(self, status: int, version: str, headers: Headers, body: bytes, size: int, http_bytes: int) -> None:
        self.status = status
        self.version = version
        self.headers = headers
        self.body = body
        self.size = size
        self.http_bytes = http_bytes

    def header(self, name: str) -> str | None:
        """The values of `name` (lower case), joined with commas, or None where there is none."""
        wanted = name.encode("latin-1", "replace")
        found = [value for key, value in self.headers if key.lower() == wanted]
        return b", ".join(found).decode("utf-8", "replace") if found else None

    @property
    def weight(self) -> int:
        """Bytes that there are to look at."""
        return len(self.body) + sum(len(value) for _, value in self.headers)

    @property
    def text(self) -> str:
        """The body as text, by the charset that it announces or else UTF-8."""
        announced = _CHARSET.search(self.header("content-type") or "")
        return self.body.decode(_known(announced[1]) if announced else "utf-8", "replace")


@lru_cache(maxsize=256)
def _known(charset: str) -> str:
    """`charset` if Python can read texts in it, or else UTF-8."""
    try:
        name = codecs.lookup(charset).name
        b"x".decode(name, "replace")
    except (LookupError, ValueError):
        return "utf-8"
    return "utf-8" if name in _NO_CHARSETS else name


def what_came(answer: Answer) -> dict[str, Any]:
    """Of an answer that is not as it should be: its headers, and the beginning of its body."""
    headers = {text(name, 50).lower(): text(value, 200) for name, value in answer.headers[:SHOWN_HEADERS]}
    hidden = {name: "…" for name in headers if name.encode("utf-8", "replace") in _KEPT_BACK}
    sample = {"body_sample": text(answer.text[:501], 500)} if answer.body else {}
    return {"headers": headers | hidden, **sample}


def what_came_so_far(status: int, headers: Headers, body: bytearray) -> dict[str, Any]:
    """Of an answer that broke off, or is not read to its end. Its sample says that it is cut, as a secret may be."""
    seen = what_came(Answer(status, "", headers, bytes(body[:SAMPLE]), 0, 0))
    sample = {"body_sample": text(seen["body_sample"] + CUT, 500)} if body else {}
    return {"status_code": status, **seen, **sample}


def first(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> bytes:
    """The first value of `name` (lower case), or b""."""
    return next((value for key, value in headers if key.lower() == name), b"")
