"""How owners read the audit log: page by page, filtered, and as files."""

from __future__ import annotations

import csv
import io
import json

import pytest

from pinguin.db import Pool, connection
from pinguin.people import SYSTEM
from pinguin.store import audit
from pinguin.store.audit import Thing
from tests.store.auditing import ADA, write
from tests.web.conftest import Client, Statements


async def test_it_is_read_page_by_page(client: Client, pool: Pool) -> None:
    await write(pool, 120)
    seen, path = 0, "/audit"
    while path:
        page = (await client.get(path)).text
        seen += page.count('class="act"')
        path = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert seen == 120


async def test_it_is_filtered(client: Client, pool: Pool) -> None:
    await write(pool, 2)
    await write(pool, 1, who=SYSTEM, action="monitor.delete")
    counts = {
        "": 3, "?actor=ADA": 2, "?actor=system": 1, "?kind=monitor": 3, "?kind=channel": 0, "?kind=monitor&object=1": 1,
        "?action=monitor.delete": 1, "?since=2000-01-01": 3, "?until=2000-01-01": 0, "?actor=%00": 0,
    }  # fmt: skip
    for asked, count in counts.items():
        assert (await client.get(f"/audit{asked}")).text.count('class="act"') == count, asked
        assert len((await client.get(f"/audit.json{asked}")).json()) == count, asked


@pytest.mark.parametrize(
    "asked", ["kind=%27", "action=x", "since=soon", "until=99999-01-01", "since=0001-01-01", "object=-1", "before=x"]
)
async def test_what_cannot_be_asked_for_is_said(client: Client, asked: str) -> None:
    for page in ("/audit", "/audit.csv", "/audit.json"):
        answer = await client.get(f"{page}?{asked}")
        assert answer.status_code == (200 if asked.startswith("before") and page != "/audit" else 400)


async def test_exports_hold_everything_and_no_formula(client: Client, pool: Pool) -> None:
    await write(pool, 1100)
    async with connection(pool) as conn:
        for name in ("=cmd|' /C calc'!A0", " @sum(1)", "＝1+1"):
            await audit.write(conn, ADA, "monitor.create", Thing("monitor", 9999, name), None, {"name": name})
    answer = await client.get("/audit.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="pinguin-audit.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 1103
    assert len({row["id"] for row in rows}) == 1103
    assert all(row["object_name"].startswith("'") for row in rows if row["object_id"] == "9999")
    assert json.loads(rows[-1]["changes"]) == {"n": {"to": 0}}
    exported = (await client.get("/audit.json")).json()
    assert [str(each["id"]) for each in exported] == [row["id"] for row in rows]


async def test_what_is_shown_is_escaped(client: Client, pool: Pool) -> None:
    async with connection(pool) as conn:
        text = "<script>alert(1)</script>"
        await audit.write(conn, ADA, "monitor.edit", Thing("monitor", 1, text), {"name": "a"}, {"name": text, text: 1})
    page = (await client.get("/audit")).text
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)") == 3


async def test_it_takes_a_fixed_number_of_queries(client: Client, pool: Pool, statements: Statements) -> None:
    costs = []
    for count in (1, 100):
        await write(pool, count)
        statements.count = 0
        await client.get("/audit")
        costs.append(statements.count)
    assert costs[0] == costs[1]
