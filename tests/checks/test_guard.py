"""Where checks may not connect to: no type, no hop and no name leads there, and the monitor is unknown, not down.

Here 127.0.0.1 is allowed, and all other private addresses are not: 127.0.0.2, on which there is a server, for one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from pinguin.checks import check_type
from pinguin.checks.contract import Resources
from pinguin.checks.engine import resolve
from pinguin.checks.engine.resolve import Address
from pinguin.checks.runner import Report, run
from pinguin.guard import Guard
from pinguin.model import Status
from pinguin.settings import Settings
from tests.checks.conftest import Check
from tests.checks.proxies import http_proxy, socks_proxy
from tests.checks.servers import answering, name_server, page, recording, serving, zone
from tests.ports import free_port

METADATA = "169.254.169.254"


@pytest.fixture
async def resources() -> AsyncIterator[Resources]:
    made = Resources(Guard.of(Settings(private_targets="deny", private_networks="127.0.0.1")))
    yield made
    made.close()


def refused(report: Report) -> None:
    assert (report.status, report.reason) == (Status.UNKNOWN, "forbidden"), report.message
    assert "PINGUIN_PRIVATE_NETWORKS" in (report.message or "")


@pytest.fixture
async def secret() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server on 127.0.0.2, its port, and what it was asked."""
    asked: list[bytes] = []
    async with serving(recording(asked, page(b"secret")), host="127.0.0.2") as port:
        yield port, asked


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("http", {"url": "http://HOST:PORT/"}),
        ("http", {"url": "https://HOST:PORT/", "http2": True}),
        ("http", {"url": "http://HOST:PORT/", "upside_down": True}),
        ("http", {"url": "http://127.0.0.1:9/", "proxy": "http://HOST:PORT"}),
        ("http", {"url": "http://127.0.0.1:9/", "proxy": "socks5://HOST:PORT"}),
        (
            "http",
            {
                "url": "http://127.0.0.1:9/", "auth": "oauth2", "oauth_token_url": "http://HOST:PORT/",
                "oauth_client_id": "a", "oauth_client_secret": "b",
            },
        ),
        ("tcp", {"host": "HOST", "port": "PORT"}),
        ("tcp", {"host": "HOST", "port": "PORT", "tls": "smtp"}),
        ("tls", {"host": "HOST", "port": "PORT"}),
        ("tls", {"host": "HOST", "port": "PORT", "starttls": "smtp"}),
        ("ping", {"host": "HOST"}),
        ("dns", {"name": "shop.test", "resolver": "HOST:PORT"}),
        ("dns", {"name": "shop.test", "resolver": "HOST:PORT", "transport": "tcp"}),
        ("dns", {"name": "shop.test", "resolver": "HOST:PORT", "transport": "tls"}),
        ("domain", {"domain": "shop.test", "server": "http://HOST:PORT/domain/"}),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(sorted(value)),
)  # fmt: skip
async def test_no_check_type_connects_there(
    check: Check, secret: tuple[int, list[bytes]], kind: str, options: Mapping[str, Any]
) -> None:
    port, asked = secret
    for host in ("127.0.0.2", "2130706434" if kind in ("http", "tcp") else "127.0.0.2"):
        given = {
            name: port if value == "PORT" else str(value).replace("HOST", host).replace("PORT", str(port))
            if isinstance(value, str) else value
            for name, value in options.items()
        }  # fmt: skip
        refused(await check(kind, **given))
    assert not asked


async def test_what_is_allowed_is_checked(check: Check) -> None:
    async with serving(answering(page())) as port:
        assert (await check("http", url=f"http://127.0.0.1:{port}/")).status is Status.UP
        assert (await check("tcp", host="127.0.0.1", port=port)).status is Status.UP


@pytest.mark.parametrize("hops", [1, 3])
async def test_no_redirect_leads_there(check: Check, secret: tuple[int, list[bytes]], hops: int) -> None:
    port, asked = secret
    left = hops

    async def redirecting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        await reader.readuntil(b"\r\n\r\n")
        left -= 1
        onward = f"http://127.0.0.1:{own}/" if left else f"http://127.0.0.2:{port}/"
        writer.write(page(b"", "302 Found", f"Location: {onward}\r\n"))
        await writer.drain()

    async with serving(redirecting) as own:
        report = await check("http", url=f"http://127.0.0.1:{own}/")
    refused(report)
    assert left == 0
    assert not asked


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_no_proxy_is_asked_for_it(check: Check, scheme: str) -> None:
    asked: list[Any] = []
    handler = http_proxy(asked) if scheme == "http" else socks_proxy(asked)
    async with serving(handler) as proxy:
        for url in ("http://127.0.0.2:9/", "https://127.0.0.2:9/", f"http://{METADATA}/latest/", "http://[::1]:9/"):
            refused(await check("http", url=url, proxy=f"{scheme}://127.0.0.1:{proxy}"))
    assert not asked


async def test_a_server_to_compare_with_is_asked_only_where_it_may_be(
    check: Check, secret: tuple[int, list[bytes]]
) -> None:
    async with name_server(zone(["shop.test. 60 IN A 192.0.2.1"])) as port:
        report = await check(
            "dns", name="shop.test", resolver=f"127.0.0.1:{port}", compare_with=[f"127.0.0.2:{secret[0]}"], timeout=3
        )
    refused(report)


def named(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Every name has these addresses, at the first look-up and at each later one; returns the names asked for."""
    left, asked = list(answers), []
    look_up = resolve._look_up

    def looked_up(host: str, port: int, family: int, flags: int) -> list[Address]:
        if not host.endswith(".test"):
            return look_up(host, port, family, flags)
        if flags:
            raise OSError
        asked.append(host)
        ips = left.pop(0) if len(left) > 1 else left[0]
        return [found for ip in ips for found in look_up(ip, port, family, flags)]

    resolve.literal.cache_clear()
    monkeypatch.setattr(resolve, "_look_up", looked_up)
    return asked


async def test_a_name_with_both_is_asked_at_the_permitted_address(
    check: Check, secret: tuple[int, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    named(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    report = await check("http", url=f"http://both.test:{secret[0]}/")
    assert report.reason == "refused"  # there is nobody on 127.0.0.1, and 127.0.0.2 was not tried
    assert not secret[1]


async def test_a_name_that_turns_is_looked_up_once_and_connected_to_where_it_was_looked_at(
    check: Check, secret: tuple[int, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the answer is good when it is judged, and another one a moment later."""
    asked = named(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    report = await check("http", url=f"http://turning.test:{secret[0]}/")
    assert (report.reason, asked) == ("refused", ["turning.test"])
    refused(await check("http", url=f"http://turning.test:{secret[0]}/"))
    assert not secret[1]


async def test_the_words_name_no_address_that_nobody_wrote(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, ["10.77.1.2"])
    report = await check("http", url="http://internal.test/")
    refused(report)
    assert "10.77" not in f"{report.message} {report.evidence}"


async def test_as_it_comes_only_metadata_is_refused() -> None:
    resources, kind = Resources(), check_type("tcp")
    try:
        for host in (METADATA, f"::ffff:{METADATA}", "fd00:ec2::254"):
            refused(await run(kind, kind.parse({"host": host, "port": 80}), 2, resources))
        loopback = kind.parse({"host": "127.0.0.1", "port": free_port()})
        assert (await run(kind, loopback, 2, resources)).reason == "refused"
    finally:
        resources.close()
