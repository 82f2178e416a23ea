"""What is sent: bodies, cookies, headers, what keeps caches out; and what a redirect makes of it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pinguin.model import Status
from tests.checks.conftest import Check
from tests.checks.servers import page, recording, serving


async def sent(check: Check, *answers: bytes, **options: Any) -> list[bytes]:
    seen: list[bytes] = []
    async with serving(recording(seen, *(answers or (page(),)))) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}{options.pop('path', '/')}", **options)
    assert report.status is Status.UP, report.message
    return seen


def header(request: bytes, name: str) -> str | None:
    found = re.search(
        rf"^{name}: (.*)\r$", request.partition(b"\r\n\r\n")[0].decode() + "\r", re.IGNORECASE | re.MULTILINE
    )
    return found[1] if found else None


@pytest.mark.parametrize(
    ("kind", "body", "content_type", "wire"),
    [
        ("raw", "<x>ö</x>", None, "<x>ö</x>".encode()),
        ("json", '{"a": "ö"}', "application/json", '{"a": "ö"}'.encode()),
        ("form", "a=1\n b = ö & x \nc=\n", "application/x-www-form-urlencoded", b"a=1&b=%C3%B6+%26+x&c="),
    ],
)
async def test_kinds_of_body(check: Check, kind: str, body: str, content_type: str | None, wire: bytes) -> None:
    (request,) = await sent(check, method="POST", body_kind=kind, body=body)

    assert request.endswith(b"\r\n\r\n" + wire)
    assert header(request, "content-type") == content_type
    assert header(request, "content-length") == str(len(wire))


async def test_a_content_type_of_ones_own_wins(check: Check) -> None:
    (request,) = await sent(
        check, method="POST", body_kind="json", body="{}", headers={"Content-Type": "application/ld+json"}
    )

    assert header(request, "content-type") == "application/ld+json"


async def test_no_body_has_no_content_type(check: Check) -> None:
    (request,) = await sent(check, method="POST", body_kind="json")

    assert header(request, "content-type") is None


async def test_packing_can_be_turned_off(check: Check) -> None:
    (packed,) = await sent(check)
    (plain,) = await sent(check, compression=False)

    assert (header(packed, "accept-encoding"), header(plain, "accept-encoding")) == ("gzip, deflate", "identity")


async def test_a_random_parameter_keeps_caches_out(check: Check) -> None:
    targets = []
    for path in ("/", "/", "/?a=%20b"):
        (request,) = await sent(check, cache_busting=True, path=path)
        targets.append(request.split()[1].decode())

    assert re.fullmatch(r"/\?pinguin=[0-9a-f]{16}", targets[0])
    assert targets[0] != targets[1]
    assert re.fullmatch(r"/\?a=%20b&pinguin=[0-9a-f]{16}", targets[2])


async def test_cookies_of_ones_own_and_of_the_way(check: Check) -> None:
    hop = page(b"", "302 Found", "Location: /next\r\nSet-Cookie: way=1; Path=/\r\nSet-Cookie: own=new\r\n")
    first, second = await sent(check, hop, page(), cookies={"own": "old", "more": "x y"})

    assert header(first, "cookie") == "own=old; more=x y"
    assert header(second, "cookie") == "own=new; more=x y; way=1"


async def test_a_login_by_cookie_is_no_endless_redirect(check: Check) -> None:
    hop = page(b"", "302 Found", "Location: /\r\nSet-Cookie: session=s3; HttpOnly; SameSite=Lax\r\n")
    back = page(b"", "302 Found", "Location: /home\r\n")
    requests = await sent(check, hop, back, page())

    assert [header(request, "cookie") for request in requests] == [None, "session=s3", "session=s3"]


async def test_cookies_are_of_one_check(check: Check) -> None:
    hop = page(b"", "302 Found", "Location: /next\r\nSet-Cookie: way=1\r\n")
    seen: list[bytes] = []
    async with serving(recording(seen, hop, page(), page())) as port:
        for _ in range(2):
            await check("http", url=f"http://127.0.0.1:{port}/")

    assert [header(request, "cookie") for request in seen] == [None, "way=1", None]


async def test_cookies_of_ones_own_stay_at_home(check: Check) -> None:
    there: list[bytes] = []
    async with serving(recording(there, page())) as other:
        hop = page(b"", "302 Found", f"Location: http://localhost:{other}/\r\nSet-Cookie: way=1\r\n")
        (here,) = await sent(check, hop, cookies={"own": "secret"})

    assert header(here, "cookie") == "own=secret"
    assert header(there[0], "cookie") is None


async def test_a_body_that_is_dropped_takes_its_type_with_it(check: Check) -> None:
    hop = page(b"", "303 See Other", "Location: /next\r\n")
    _, second = await sent(check, hop, page(), method="POST", body_kind="json", body="{}")

    assert second.startswith(b"GET /next ")
    assert header(second, "content-type") is None


async def test_a_body_that_is_kept_keeps_its_type_even_elsewhere(check: Check) -> None:
    there: list[bytes] = []
    async with serving(recording(there, page())) as other:
        hop = page(b"", "307 Temporary", f"Location: http://127.0.0.1:{other}/\r\n")
        await sent(check, hop, method="POST", body_kind="json", body="{}")

    assert header(there[0], "content-type") == "application/json"
    assert there[0].endswith(b"{}")


async def test_a_host_of_ones_own(check: Check) -> None:
    (request,) = await sent(check, headers={"Host": "www.example.test"})

    assert header(request, "host") == "www.example.test"
