"""One thing is not several, in any sentence."""

from __future__ import annotations

import pytest

from pinguin.checks.counting import counted
from tests.checks.conftest import Check
from tests.checks.servers import answering, page, serving
from tests.checks.starttls_servers import saying, threaded


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 bytes"), (1, "1 byte"), (2, "2 bytes"), (1.0, "1 byte"), (1234567, "1234567 bytes")]
)
def test_a_number_of_things(number: float, words: str) -> None:
    assert counted(number, "byte") == words


async def test_an_answer_of_one_byte(check: Check) -> None:
    with threaded(saying(b"x")) as port:
        report = await check("tcp", host="127.0.0.1", port=port, steps=["starts +OK"])
    assert report.message == "the answer of 1 byte does not begin with “+OK”"


async def test_one_byte_before_the_end(check: Check) -> None:
    broken = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
    async with serving(answering(broken)) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/")
    assert report.message == "the connection was closed before the last chunk, after 1 byte"


async def test_a_body_of_one_byte_and_one_redirect(check: Check) -> None:
    onward = page(b"", "302 Found", "Location: /on\r\n")
    async with serving(answering(page(b"x"))) as small, serving(answering(onward)) as endless:
        size = await check("http", url=f"http://127.0.0.1:{small}/", conditions=["size > 1 KB"])
        hops = await check("http", url=f"http://127.0.0.1:{endless}/", max_redirects=1)
    assert size.evidence["conditions"][0]["seen"] == "1 byte"
    assert str(hops.message).startswith("more than 1 redirect; the next one leads to ")
