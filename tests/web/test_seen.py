"""Evidence on a monitor's page, by what a check of each type leaves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pinguin.db import Pool
from tests.factory import add_monitor, add_result, fetch
from tests.web.conftest import Client

KINDS = {
    "ping": (
        {"address": "192.0.2.1", "sent": 4, "received": 3, "loss_percent": 25.0, "min_ms": 1.0, "avg_ms": 2.0,
         "max_ms": 3.5, "jitter_ms": 0.42},
        ["3 of 4", "25.0 % lost", "jitter", "0.42 ms", "25.00 % of 4 packets lost"],
    ),
    "dns": (
        {"answers": ["192.0.2.7"], "rcode": "NOERROR", "ttl": 300, "servers": {"9.9.9.9": "192.0.2.8"}},
        ["Answers", "192.0.2.7", "What each server says", "192.0.2.8", "NOERROR"],
    ),
    "tls": (
        {"certificate": {"subject": "shop.test", "issuer": "CA", "names": ["shop.test"], "days_left": 9,
                         "not_after": "2027-01-01T00:00:00+00:00"},
         "chain": [{"subject": "shop.test", "days_left": 9}, {"subject": "CA", "key": "RSA 2048", "days_left": 900}]},
        ["in 9 days", "The whole chain, 2 certificates", "RSA 2048", "in 900 days"],
    ),
    "domain": (
        {"domain": {"name": "shop.test", "registrar": "Names Inc.", "expires_at": "2026-12-01T00:00:00+00:00",
                    "days_left": 8, "status": ["active"]}},
        ["Registration", "Names Inc.", "2026-12-01", "in 8 days", "active"],
    ),
    "http": (
        {"status_code": 200, "conditions": [{"condition": "status == 200", "seen": "200", "met": True}],
         "hops": [{"url": "http://shop.test/", "status": 301, "address": "192.0.2.1:80", "phases": {"dns": 1.5}},
                  {"url": "https://shop.test/", "status": 200, "address": "192.0.2.1:443", "phases": {}}]},
        ["status == 200", "Way to the answer", "<b>301</b> http://shop.test/", "192.0.2.1:443"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_check_saw_is_shown_in_its_parts(client: Client, pool: Pool, kind: str) -> None:
    evidence, words = KINDS[kind]
    monitor = await add_monitor(pool, type=kind)
    await add_result(pool, monitor, evidence=json.dumps(evidence))
    page = (await client.get(f"/monitors/{monitor}")).text
    part = page[page.index("Anatomy of a check") :].partition("Recent results")[0]
    for each in words:
        assert each in part, each


@pytest.mark.parametrize("odd", [None, 1, "x", [], {}, [1, None, {}], {"a": {"b": None}}, True, "<img src=x>"])
async def test_evidence_that_is_odd_does_not_break_the_page(client: Client, pool: Pool, odd: Any) -> None:
    names = ("certificate", "chain", "hops", "conditions", "answers", "servers", "domain", "headers", "phases_ms",
             "sent", "received", "jitter_ms", "avg_ms", "body_sample")  # fmt: skip
    monitor = await add_monitor(pool)
    inner = dict.fromkeys(("subject", "days_left", "not_after", "names", "status", "phases", "seen", "key"), odd)
    for each in (odd, inner, [inner, inner]):
        evidence = dict.fromkeys(names, each)
        await fetch(pool, "delete from results returning 1")
        await add_result(pool, monitor, evidence=json.dumps(evidence))
        answer = await client.get(f"/monitors/{monitor}")
        assert answer.status_code == 200
        assert "<img src=x" not in answer.text
