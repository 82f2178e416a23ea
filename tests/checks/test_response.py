"""The reader of responses against bytes of every kind."""

from __future__ import annotations

import gc
import gzip
import zlib
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinguin.checks.engine.answer import Answer
from pinguin.checks.engine.decoding import Decoder
from pinguin.checks.engine.response import ResponseReader
from pinguin.errors import CheckFailed
from pinguin.model import REASONS


def read(pieces: list[bytes], limit: int = 10_000, keep: int = 10_000, *, head: bool = False) -> Answer:
    """What the engine does with the pieces: feed until complete, or else the connection closes."""
    reader = ResponseReader(head_only=head, limit=limit, keep=keep)
    try:
        for piece in pieces:
            reader.feed(piece)
            if reader.complete:
                break
        else:
            reader.end()
        return reader.answer()
    finally:
        reader.close()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(edges)]


def chunked(body: bytes, size: int) -> bytes:
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


places = st.lists(st.integers(0, 5000), max_size=10)


@given(
    status=st.integers(200, 599),
    body=st.binary(max_size=2000),
    places=places,
    size=st.integers(1, 500),
    how=st.integers(0, 3),
)
@settings(deadline=None)
def test_an_honest_response_is_read_whatever_its_pieces(
    status: int, body: bytes, places: list[int], size: int, how: int
) -> None:
    sent = gzip.compress(body) if how == 3 else body
    head = f"HTTP/1.1 {status} Words\r\nX-One: 1\r\n".encode()
    if how == 3:
        head += b"Content-Encoding: gzip\r\n"
    if how in (1, 3):
        whole = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(sent, size)
    elif how == 2:
        whole = head + b"\r\n" + sent
    else:
        whole = head + b"Content-Length: %d\r\n\r\n" % len(sent) + sent

    response = read(cut(whole, places))

    assert response.status == status
    assert response.header("x-one") == "1"
    assert response.body == (b"" if status in (204, 304) else body)


@given(garbage=st.binary(max_size=3000), places=places, honest_start=st.booleans())
@settings(deadline=None, max_examples=300)
def test_any_bytes_give_a_response_or_a_reason(garbage: bytes, places: list[int], honest_start: bool) -> None:
    start = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" if honest_start else b""
    reason, size = None, 0
    try:
        size = len(read(cut(start + garbage, places), limit=500).body)
    except CheckFailed as failure:
        reason = failure.reason
    assert reason is None or reason in REASONS
    assert size <= 500


@given(body=st.binary(max_size=3000), places=places, limit=st.integers(1, 3000))
@settings(deadline=None)
def test_the_limit_is_exact(body: bytes, places: list[int], limit: int) -> None:
    pieces = cut(b"HTTP/1.1 200 OK\r\n\r\n" + body, places)
    if len(body) <= limit:
        assert read(pieces, limit).body == body
    else:
        with pytest.raises(CheckFailed) as failed:
            read(pieces, limit)
        assert failed.value.reason == "too_large"


def test_only_as_much_is_kept_as_is_needed() -> None:
    assert read([b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 5000], keep=10).body == b"x" * 10


def test_the_answer_to_head_has_no_body_whatever_it_announces() -> None:
    assert read([b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"], head=True).body == b""


@pytest.mark.parametrize("status", [b"200", b"204", b"304"])
def test_what_comes_behind_the_answer_changes_nothing_of_it(status: bytes) -> None:
    first = b"HTTP/1.1 %s Words\r\nX-One: 1\r\nContent-Length: 0\r\n\r\n" % status
    second = b"HTTP/1.1 500 Oh\r\nX-One: 2\r\nContent-Length: 3\r\n\r\nabc"
    answer = read([first + second])

    assert (answer.status, answer.header("x-one"), answer.body, answer.size) == (int(status), "1", b"", 0)


def test_switching_protocols_ends_the_answer() -> None:
    assert read([b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxyz"]).status == 101


def test_packing_twice_is_left_alone() -> None:
    doubly = gzip.compress(gzip.compress(bytes(1000)))
    response = read([b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\n\r\n" + doubly])
    assert response.body == doubly


@given(body=st.binary(max_size=2000), places=places, most=st.integers(1, 3000))
def test_the_decoder_gives_at_most_what_is_asked_for(body: bytes, places: list[int], most: int) -> None:
    decoder, out = Decoder("gzip"), b""
    for piece in cut(gzip.compress(body), places):
        room = most - len(out)
        if room < 1:
            break
        out += decoder.feed(piece, room)
    assert out == body[:most]


@given(garbage=st.binary(max_size=500), encoding=st.sampled_from(["gzip", "deflate"]))
def test_the_decoder_fails_on_garbage_in_one_way(garbage: bytes, encoding: str) -> None:
    with suppress(zlib.error):
        Decoder(encoding).feed(garbage, 1000)


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20_000,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nzz",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nx",
    ],
)
def test_an_answer_that_fails_leaves_nothing_to_the_collector(data: bytes) -> None:
    """An exception that is kept by what its traceback points to is a cycle, of 100 kB with the headers of a liar."""

    def failing() -> None:
        with pytest.raises(CheckFailed):
            read([data])

    failing()
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            with suppress(CheckFailed):
                read([data])
        assert gc.collect() == 0
    finally:
        gc.enable()
