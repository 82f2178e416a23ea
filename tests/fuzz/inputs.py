"""What servers may send, made up: mostly right, then broken in some places."""

from __future__ import annotations

import gzip
import json
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

import dns.message
import dns.rdatatype
import hpack

Rnd = random.Random
INTERESTING = (
    b"",
    b"\r\n",
    b"\n",
    b"\x00",
    b"0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b": ",
    b"\xff" * 20,
    b"HTTP/1.1 200 OK\r\n",
)


def mutated(rnd: Rnd, data: bytes, most: int = 6) -> bytes:
    """`data` with up to `most` faults: bytes turned, cut out, doubled, or put in."""
    broken = bytearray(data)
    for _ in range(rnd.choice((0, 0, 1, 1, 2, most))):
        at = rnd.randrange(len(broken) + 1)
        match rnd.randrange(5):
            case 0 if broken:
                broken[at % len(broken)] = rnd.randrange(256)
            case 1:
                del broken[at : at + rnd.choice((1, 2, 10, 100))]
            case 2:
                broken[at:at] = broken[at : at + rnd.choice((1, 8, 200))] * rnd.choice((1, 2, 50))
            case 3:
                broken[at:at] = rnd.choice(INTERESTING)
            case _:
                broken[at:at] = rnd.randbytes(rnd.choice((1, 2, 9, 64)))
    return bytes(broken)


def pieces(rnd: Rnd, data: bytes) -> list[bytes]:
    """`data` as a network may deliver it."""
    places = sorted(rnd.randrange(len(data) + 1) for _ in range(rnd.choice((0, 0, 1, 3, 12))))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True) if start < end]


def body(rnd: Rnd) -> bytes:
    return rnd.choice(
        (
            lambda: b"",
            lambda: b"well\n",
            lambda: rnd.randbytes(rnd.choice((1, 100, 5000))),
            lambda: b"a" * rnd.choice((10, 100_000)),
            lambda: json.dumps(document(rnd)).encode(),
            lambda: "Größe €\u2028".encode(rnd.choice(("utf-8", "utf-16", "latin-1")), "replace"),
        )
    )()


def packed(rnd: Rnd, data: bytes) -> tuple[bytes, Callable[[], bytes]]:
    """A Content-Encoding, and what makes `data` be in it; now and then a bomb."""
    if rnd.random() < 0.05:
        data = bytes(rnd.choice((1_000_000, 20_000_000)))
    bare = zlib.compressobj(wbits=-15)
    return rnd.choice(
        (
            (b"gzip", lambda: gzip.compress(data, 1)),
            (b"gzip", lambda: gzip.compress(data, 1) * 2 + gzip.compress(b"")),
            (b"deflate", lambda: zlib.compress(data)),
            (b"deflate", lambda: bare.compress(data) + bare.flush()),
            (b"x-gzip", lambda: data),
            (b"br, gzip", lambda: data),
            (rnd.randbytes(4).replace(b"\n", b""), lambda: data),
        )
    )


def http1(rnd: Rnd) -> bytes:
    """One response, mostly honest at first."""
    data, headers = body(rnd), []
    if rnd.random() < 0.4:
        encoding, pack = packed(rnd, data)
        data = mutated(rnd, pack())
        headers.append(b"Content-Encoding: " + encoding)
    for _ in range(rnd.choice((0, 1, 3, 60))):
        headers.append(b"X-%d: %s" % (rnd.randrange(9), b"v" * rnd.choice((0, 5, 2000))))
    if rnd.random() < 0.3:
        kind = rnd.choice((b"utf-8", b"latin-1", b"idna", b"nothing", b"unicode_escape", b"utf-7"))
        headers.append(b"Content-Type: text/plain; charset=" + kind)
    how = rnd.randrange(3)
    if how == 0:
        headers.append(b"Content-Length: %d" % (len(data) + rnd.choice((0, 0, 0, -1, 1, 10**18))))
    if how == 1:
        headers.append(b"Transfer-Encoding: chunked")
        size = rnd.choice((1, 7, 4096))
        few = data[: 500 * size]
        parts = [few[at : at + size] for at in range(0, len(few), size)]
        data = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    rnd.shuffle(headers)
    status = rnd.choice((200, 200, 204, 304, 301, 101, 100, 404, 500, 999, 0))
    start = b"HTTP/1.%d %d %s\r\n" % (rnd.randrange(2), status, rnd.choice((b"OK", b"", b"\xff\xfe")))
    early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * rnd.choice((0, 0, 1, 3))
    return mutated(rnd, early + start + b"\r\n".join(headers) + b"\r\n" * 2 + data)


def http2(rnd: Rnd) -> bytes:
    """A server's side of one exchange."""
    encoder = hpack.Encoder()
    headers = [(":status", rnd.choice(("200", "404", "", "abc", "99999"))), ("content-type", "text/plain")]
    if rnd.random() < 0.3:
        headers.append(("content-encoding", rnd.choice(("gzip", "deflate"))))
    headers += [(f"x-{n}", "v" * rnd.choice((1, 300))) for n in range(rnd.choice((0, 2, 100)))]
    frames = [_frame(4, 0, 0, b""), _frame(4, 1, 0, b"")]
    frames.append(_frame(1, rnd.choice((4, 4, 5, 0)), 1, encoder.encode(headers)))
    frames += [_frame(0, 0, rnd.choice((1, 1, 3)), body(rnd)[:16000]) for _ in range(rnd.randrange(3))]
    frames.append(_frame(0, 1, 1, b"end"))
    for _ in range(rnd.choice((0, 0, 2, 200))):
        kind, stream = rnd.randrange(12), rnd.choice((0, 1, 2, 2**31 - 1))
        payload = rnd.randbytes(rnd.choice((0, 4, 5, 8, 6)))
        frames.insert(rnd.randrange(len(frames) + 1), _frame(kind, rnd.randrange(256), stream, payload))
    return mutated(rnd, b"".join(frames))


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


def dns_answer(rnd: Rnd, question: dns.message.QueryMessage, kind: str) -> bytes:
    """An answer of one record, of whatever bytes."""
    number = dns.rdatatype.from_text(kind).to_bytes(2, "big")
    rdata = rnd.randbytes(rnd.choice((0, 1, 4, 8, 16, 20, 32, 64, 300)))
    head = question.id.to_bytes(2, "big") + bytes([0x81, 0x80]) + b"\0\1\0\1\0\0\0\0"
    name = rnd.choice((b"\xc0\x0c", b"\xc0\x0c", b"\xc0\x25", b"\x07example\x04test\x00"))
    record = name + number + b"\0\1\0\0\0\x3c" + len(rdata).to_bytes(2, "big") + rdata
    return head + mutated(rnd, b"\7example\4test\0" + number + b"\0\1" + record * rnd.choice((1, 1, 30)), 3)


STARTTLS: dict[str, bytes] = {
    "smtp": b"220 mx\r\n250-mx\r\n250-SIZE 1\r\n250 STARTTLS\r\n220 go\r\n",
    "imap": b"* OK IMAP4\r\n* CAPABILITY IMAP4\r\np1 OK go\r\n",
    "pop3": b"+OK hello\r\n+OK go\r\n",
    "ftp": b"220-hello\r\n220 there\r\n234 go\r\n",
    "postgres": b"S",
    "ldap": b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00",
}


def document(rnd: Rnd, depth: int = 4) -> Any:
    """A JSON value."""
    plain = (None, True, 0, -1.5, 10**25, "", "text", "\u20ac" * 9)
    if not depth or rnd.random() < 0.3:
        return rnd.choice(plain)
    if rnd.random() < 0.5:
        return [document(rnd, depth - 1) for _ in range(rnd.randrange(5))]
    return {rnd.choice(("a", "b", "status", "")): document(rnd, depth - 1) for _ in range(rnd.randrange(5))}


_PATHS = [
    "$", ".a", ".status", "..b", "..", "[0]", "[-1]", "[1:9:2]", "[*]", ".*", "['a']", "[?@.b]", "[?@.a == 1]",
    "[?count(@.*) > 1]",
]  # fmt: skip
_EXPRESSIONS = [
    "a", ".", "(a+)+", "[a-z]{3,9}", "(?i)error", "^$", r"\d+", "a{1000}", "(x|y)*", r"\pL", r"[^\x00]", "(((", "*",
    "$",
]  # fmt: skip


def json_path(rnd: Rnd) -> str:
    return "$" + "".join(rnd.choice(_PATHS) for _ in range(rnd.choice((1, 2, 4, 12))))


def expression(rnd: Rnd) -> str:
    return "".join(rnd.choice(_EXPRESSIONS) for _ in range(rnd.choice((1, 2, 5))))


def condition(rnd: Rnd, subjects: list[str]) -> str:
    """A line as people write it, or nearly."""
    signs = (
        "==",
        "!=",
        "<",
        ">=",
        "contains",
        "not contains",
        "matches",
        "in",
        "starts with",
        "exists",
        "length >",
        "",
    )
    words = ("200", "5 ms", "1 MB", '"ok"', "[1,2]", "200-299", expression(rnd), json_path(rnd), "14 days", "")
    parts = [rnd.choice(("", "", "warn")), rnd.choice(subjects), rnd.choice(("", json_path(rnd), "content-type"))]
    line = " ".join([*parts, rnd.choice(signs), rnd.choice(words)])
    return mutated(rnd, line.encode(), 2).decode("utf-8", "replace") if rnd.random() < 0.4 else line
