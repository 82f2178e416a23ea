"""Webhooks against servers that take, fail, stall, redirect, reset and lie."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pinguin.alerts import docs
from pinguin.alerts.channels import channel_type, webhook
from pinguin.alerts.contract import Message
from pinguin.alerts.payload import MOST_WHOLE, payload
from pinguin.alerts.render import render
from pinguin.alerts.samples import SAMPLES, digest
from pinguin.errors import InvalidInput
from tests.alerts.conftest import Deliver
from tests.checks.certificates import house, server
from tests.checks.servers import Handler, page, recording, request_of, serving

ROOT, MIDDLE, LEAF = house()


def parts(request: bytes) -> tuple[str, dict[str, str], bytes]:
    """The first line, the headers in lower case, and the body of a request."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("utf-8").split("\r\n")
    return first, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}, body


async def test_the_whole_message_goes_out_as_json(deliver: Deliver) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page(b"thanks", "202 Accepted"))) as port:
        outcome = await deliver("webhook", url=f"http://127.0.0.1:{port}/hook?a=1")
    assert (outcome.ok, outcome.status, outcome.answer) == (True, 202, "202 Accepted: thanks")
    assert outcome.latency_ms > 0
    first, headers, body = parts(seen[0])
    assert first == "POST /hook?a=1 HTTP/1.1"
    assert headers["content-type"] == "application/json"
    assert headers["host"] == f"127.0.0.1:{port}"
    assert headers["idempotency-key"] == SAMPLES["down"]().key
    assert json.loads(body) == json.loads(json.dumps(payload(render(SAMPLES["down"]()))))


async def test_the_payload_reads_back_as_the_same_message() -> None:
    message = SAMPLES["down"]()
    plain = payload(render(message))
    assert msgspec.convert({name: plain[name] for name in Message.__struct_fields__}, Message) == msgspec.convert(
        msgspec.to_builtins(message), Message
    )


def test_a_large_digest_keeps_every_item_and_leaves_out_its_evidence() -> None:
    items = payload(render(digest(1000)))["items"]
    assert len(items) == 1003
    assert not any(item["evidence"] or item["certificate"] for item in items)
    assert len(json.dumps(items)) < 1_500_000
    assert payload(render(digest(MOST_WHOLE - 3)))["items"][0]["evidence"]


async def test_a_body_of_ones_own_and_headers(deliver: Deliver) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page())) as port:
        outcome = await deliver(
            "webhook",
            url=f"http://127.0.0.1:{port}/",
            method="PUT",
            headers={"Authorization": "Bearer zwölf", "User-Agent": "mine"},
            body='{"text": {{ (subject ~ "\n")|tojson }}, "n": {{ count }}}',
        )
    assert outcome.ok
    first, headers, body = parts(seen[0])
    assert first.startswith("PUT / ")
    assert (headers["authorization"], headers["user-agent"]) == ("Bearer zwölf", "mine")
    assert json.loads(body) == {"text": render(SAMPLES["down"]()).subject + "\n", "n": 1}


async def test_plain_text_and_get_with_parameters(deliver: Deliver) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page())) as port:
        await deliver("webhook", url=f"http://127.0.0.1:{port}/", content="text")
        await deliver(
            "webhook",
            url=f"http://127.0.0.1:{port}/send?a=1",
            method="GET",
            parameters={"text": "{{ item.monitor }} & more"},
        )
    _, headers, body = parts(seen[0])
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert body.decode() == render(SAMPLES["down"]()).text
    first, headers, body = parts(seen[1])
    assert first.startswith("GET /send?a=1&text=shop")
    assert "%22front%22" in first
    assert "%26+more" in first
    assert "content-type" not in headers
    assert body == b""


async def test_a_body_that_fails_with_these_facts_is_replaced_by_ours(deliver: Deliver) -> None:
    seen: list[bytes] = []
    source = "{% if count > 60 %}no JSON{% else %}{{ count }}{% endif %}"
    async with serving(recording(seen, page())) as port:
        for message in (digest(50), digest(60)):
            assert (await deliver("webhook", message, url=f"http://127.0.0.1:{port}/", body=source)).ok
    assert parts(seen[0])[2] == b"53"
    assert json.loads(parts(seen[1])[2])["version"] == 1


# The signature


@pytest.fixture
def genuine() -> Any:
    """The function of the documentation, as a reader would copy it from there."""
    found = re.search(r"```python\n(.*?)```", docs.PATH.read_text(), re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)
    return names["is_genuine"]


async def test_what_is_signed_can_be_verified_as_documented(deliver: Deliver, genuine: Any) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page())) as port:
        await deliver("webhook", url=f"http://127.0.0.1:{port}/", signing_secret="zwölf Boxkämpfer")
        await deliver("webhook", url=f"http://127.0.0.1:{port}/")
    _, received, body = parts(seen[0])
    headers = {name: received[name.lower()] for name in (webhook.TIMESTAMP, webhook.SIGNATURE)}
    assert genuine("zwölf Boxkämpfer", headers, body)
    assert not genuine("another secret", headers, body)
    assert not genuine("zwölf Boxkämpfer", headers, body + b" ")
    assert not genuine("zwölf Boxkämpfer", headers, body, tolerance_s=-1)
    assert not genuine("zwölf Boxkämpfer", {**headers, webhook.TIMESTAMP: "1"}, body, tolerance_s=1e12)
    assert webhook.SIGNATURE.lower() not in parts(seen[1])[1]


# TLS


@pytest.fixture
def trusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine trusts the tests' own root."""
    path = tmp_path / "root.pem"
    path.write_text(ROOT.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    webhook._tls.cache_clear()
    yield
    webhook._tls.cache_clear()


def tls() -> ssl.SSLContext:
    return server(LEAF, MIDDLE)


@pytest.mark.usefixtures("trusting")
async def test_a_trusted_certificate_for_the_name_is_taken(deliver: Deliver) -> None:
    async with serving(recording([], page()), tls()) as port:
        assert (await deliver("webhook", url=f"https://127.0.0.1:{port}/")).ok
        wrong_name = await deliver("webhook", url=f"https://localhost:{port}/")
    assert not wrong_name.ok
    assert "localhost" in wrong_name.answer


async def test_another_certificate_is_refused_before_anything_is_sent(deliver: Deliver) -> None:
    seen: list[bytes] = []
    webhook._tls.cache_clear()
    async with serving(recording(seen, page()), tls()) as port:
        outcome = await deliver("webhook", url=f"https://127.0.0.1:{port}/")
        assert (outcome.ok, outcome.unsure) == (False, False)
        assert "the certificate is not valid" in outcome.answer
        assert seen == []
        assert (await deliver("webhook", url=f"https://127.0.0.1:{port}/", verify_tls=False)).ok


# Options


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({}, "url", "is required"),
        ({"url": "ftp://x/"}, "url", "must begin with http"),
        ({"url": "https://"}, "url", "must begin with http"),
        ({"url": "https://u:p@x/"}, "url", "put Authorization into the headers"),
        ({"url": "https://x/ y"}, "url", "spaces"),
        ({"url": "https://x:0/"}, "url", "port"),
        ({"url": "https://x/", "headers": {"a b": "c"}}, "headers", "not a valid header name"),
        ({"url": "https://x/", "headers": {"A": "c\r\nX: y"}}, "headers", "line break"),
        ({"url": "https://x/", "headers": {"Content-Length": "1"}}, "headers", "is set by Pinguin"),
        ({"url": "https://x/", "headers": {"X-A": "1", "x-a": "2"}}, "headers", "X-A and x-a are the same one"),
        ({"url": "https://x/", "headers": {"x-pinguin-signature": "1"}}, "headers", "is set by Pinguin"),
        ({"url": "https://x/", "body": "{{ nobody }}"}, "body", "line 1: there is no 'nobody'"),
        ({"url": "https://x/", "body": '{"a": "{{ item.monitor }}"}'}, "body", "is not JSON"),
        ({"url": "https://x/", "body": "{}", "method": "GET"}, "body", "is not sent with GET"),
        ({"url": "https://x/", "parameters": {"a": "{% if %}"}}, "parameters", "line 1"),
        ({"url": "https://x/", "timeout_s": 0.5}, "timeout_s", "must be at least 1"),
        ({"url": "https://x/", "nothing": 1}, "nothing", "is not an option here"),
    ],
)
def test_bad_options_name_their_field(options: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        channel_type("webhook").parse(options)
    assert words in refusal.value.fields[field]


def test_where_it_goes_is_said_without_the_path() -> None:
    parse = channel_type("webhook").parse
    assert parse({"url": "https://hooks.example.org:8443/services/T0/B0/secret?x=y"}).target() == (
        "https://hooks.example.org:8443/…"
    )
    assert parse({"url": "http://example.org"}).target() == "http://example.org"


def handler_that_echoes() -> Handler:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(page(await request_of(reader), "400 Bad Request"))
        await writer.drain()

    return echo


async def test_a_server_that_sends_everything_back_gives_no_secret_away(deliver: Deliver) -> None:
    """TRAP 24"""
    async with serving(handler_that_echoes()) as port:
        outcome = await deliver(
            "webhook",
            url=f"http://127.0.0.1:{port}/services/canary-path-77/x?token=canary%2Dquery&y=canary-y",
            headers={"Authorization": "Bearer canary-bearer", "X-Key": "canary-header"},
            signing_secret="canary-signing",
        )
    assert "canary" not in outcome.answer
    assert "[secret]" in outcome.answer
    assert sys.getsizeof(outcome.answer) < 10_000
