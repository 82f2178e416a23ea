from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from litestar import Litestar

from pinguin.broker import Broker
from pinguin.db import Pool
from pinguin.store import history
from pinguin.web.charts.view import asked
from pinguin.web.service import Web
from tests.factory import add_monitor, add_result, fetch, set_status
from tests.web.conftest import Client, Statements
from tests.web.hostile import HOSTILE


async def test_the_page_tells_status_cause_and_history(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool, name="shop", tags=["a"])
    await add_result(pool, monitor, "down", reason="timeout", message="no answer within 5 s", latency_ms=None)
    await add_result(pool, monitor, "up", seconds_ago=90, evidence='{"address": "127.0.0.1", "port": 9}')
    async with pool.connection() as conn:
        await conn.execute(
            """with i as (
              insert into incidents (monitor_id, started_at, confirmed_at, reason, message, region, evidence)
              values (%s, now() - interval '5 min', now(), 'timeout', 'no answer', 'local', '{"stage": "connect"}')
              returning id)
            update monitor_states set status = 'down', reason = 'timeout', message = 'no answer within 5 s',
              since = now() - interval '5 min', incident_id = i.id from i""",
            (monitor,),
        )
    page = (await client.get(f"/monitors/{monitor}")).text
    for words in ("Down", "no answer within 5 s", "5 min", "still down", "Uptime 30 d", "p95", "127.0.0.1"):
        assert words in page, words
    assert len(re.findall(r'<tr class="s-(?:down|up)"', page)) == 2
    assert "<title>shop: down · Pinguin</title>" in page


async def test_a_new_monitor_says_what_will_come(client: Client, pool: Pool) -> None:
    page = (await client.get(f"/monitors/{await add_monitor(pool)}")).text
    for words in ("Waiting", "No results yet", "None so far", "not monitored yet"):
        assert words in page


@pytest.mark.parametrize("name", ["1h", "6h", "24h", "7d", "30d", "90d", "1y", "2y"])
async def test_every_range_has_a_chart_of_few_points(client: Client, pool: Pool, name: str) -> None:
    monitor = await add_monitor(pool, interval_s=1)
    async with pool.connection() as conn:
        await conn.execute(
            """insert into results (monitor_id, scheduled_at, region, version, status, latency_ms, started_at,
              recorded_at, evidence)
            select %s, at, 'local', 1, 'up', 10, at, at, '{}'
            from generate_series(now() - interval '50 min', now(), interval '1 s') at""",
            (monitor,),
        )
    for path in (f"/monitors/{monitor}?range={name}", f"/monitors/{monitor}/chart?range={name}"):
        page = (await client.get(path)).text
        points = re.findall(r'<svg class="plot" .*?</svg>', page)[0].count('class="hit"')
        assert 1 <= points <= 370
        assert 'class="line p50"' in page
        assert "The same as a table" in page
        assert re.search(r"<dt><i class=\"k-p50\"></i>p50</dt><dd>(10|9\.\d+|10\.\d+) ms</dd>", page)


async def test_a_range_that_is_none_says_so(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    assert (await client.get(f"/monitors/{monitor}?range=2h")).status_code == 400


async def test_a_page_costs_the_same_queries_whatever_there_is(
    client: Client, pool: Pool, statements: Statements
) -> None:
    monitor = await add_monitor(pool)
    spent = []
    for results in (0, 40):
        for number in range(results):
            await add_result(pool, monitor, seconds_ago=number * 60)
        statements.count = 0
        await client.get(f"/monitors/{monitor}")
        spent.append(statements.count)
    assert spent[0] == spent[1] <= 16


async def test_older_results_are_a_page_away(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    for number in range(45):
        await add_result(pool, monitor, seconds_ago=number * 60 + 5)
    page = (await client.get(f"/monitors/{monitor}")).text
    older = re.search(r'rel="next" href="([^"#]+)', page)
    assert older is not None
    assert page.count('<tr class="s-up"') == 30
    page = (await client.get(older[1].replace("&amp;", "&"))).text
    assert page.count('<tr class="s-up"') == 15
    assert "Older results" in page


async def test_pages_of_results_lose_and_double_nothing_where_a_slot_has_several_regions(
    client: Client, pool: Pool
) -> None:
    monitor = await add_monitor(pool)
    async with pool.connection() as conn:
        await conn.execute(
            """insert into results (monitor_id, scheduled_at, region, version, status, latency_ms, started_at,
              recorded_at, evidence)
            select %s, at, region, 1, 'up', 10, at, at, '{}'
            from generate_series(now() - interval '20 min', now(), interval '1 min') at,
              unnest('{eu-west,us,asia,local}'::text[]) region""",
            (monitor,),
        )
    path, sizes, seen = f"/monitors/{monitor}", [], []
    while path:
        page = (await client.get(path)).text
        log = page[page.index('<table class="log">') :]
        rows = re.findall(r'<tr class="s-up".*?</tr>', log.partition("</table>")[0], re.DOTALL)
        sizes.append(len(rows))
        for row in rows:
            slot, region = re.search(r'title="([^"]+)"', row), re.search(r">(eu-west|us|asia|local)<", row)
            assert slot
            assert region
            seen.append((slot[1], region[1]))
        older = re.search(r'rel="next" href="([^"#]+)', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert sizes == [30, 50, 4]
    assert len(set(seen)) == 84


@pytest.mark.parametrize("place", ["yesterday", "2026-01-01T00:00:00", "0001-01-01T00:00:00+00:00_a", "_", "x_y"])
async def test_a_place_among_results_that_is_none_says_so(client: Client, pool: Pool, place: str) -> None:
    monitor = await add_monitor(pool)
    for before in (place, "2026-01-01T00:00:00+00:00_\x00"):
        assert (await client.get(f"/monitors/{monitor}/results", params={"before": before})).status_code == 400


async def test_hostile_evidence_is_shown_as_it_is(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool, name=HOSTILE[0], target=HOSTILE[1], tags=[HOSTILE[0]], type="gone")
    await set_status(pool, monitor, "down", HOSTILE[0])
    evidence = """{"<b>": ["<script>alert(2)</script>", {"a": null, "b": true, "c": [1, 2.5]}], "certificate":
      {"subject": "<i>", "issuer": null, "not_after": "2026-01-01T00:00:00Z", "days_left": -3}}"""
    await add_result(pool, monitor, "down", reason="<b>", message=HOSTILE[1], latency_ms=None, evidence=evidence)
    page = (await client.get(f"/monitors/{monitor}")).text
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "<b>&lt;b&gt;" in page
    assert "3 days ago" in page


async def test_odd_certificates_do_not_break_the_page(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    odd = ("{}", "[]", '"x"', '{"days_left": "soon", "not_after": null}')
    for evidence in (f'{{"certificate": {certificate}}}' for certificate in odd):
        await add_result(pool, monitor, evidence=evidence, seconds_ago=len(evidence))
        assert (await client.get(f"/monitors/{monitor}")).status_code == 200


async def test_pausing_and_resuming(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    for action, status in (("pause", "paused"), ("pause", "paused"), ("resume", "pending")):
        assert (await client.submit(f"/monitors/{monitor}/{action}")).status_code == 303
        assert await fetch(pool, "select status::text from monitor_states") == [(status,)]
    assert await fetch(pool, "select version from monitors") == [(3,)]


async def test_deleting_asks_first_and_keeps_the_history(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    await add_result(pool, monitor)
    assert "Delete shop?" in (await client.get(f"/monitors/{monitor}/delete")).text
    assert (await client.submit(f"/monitors/{monitor}/delete")).headers["location"] == "/monitors"
    for path in ("", "/edit", "/delete", "/chart"):
        assert (await client.get(f"/monitors/{monitor}{path}")).status_code == 404
    for action in ("delete", "pause", "check", "edit"):
        assert (await client.submit(f"/monitors/{monitor}/{action}", {"type": "tcp"})).status_code == 404
    assert await fetch(pool, "select count(*) from results") == [(1,)]


class Asked:
    """A broker that says what a check asked for by hand is told."""

    def __init__(self, says: bool | None) -> None:
        self.says = says

    async def check_now(self, monitor_id: int) -> bool | None:
        return self.says


@pytest.mark.parametrize(
    ("says", "words"), [(True, "Asked for a check"), (False, "A check is under way"), (None, "not scheduled yet")]
)
async def test_check_now_says_what_became_of_it(
    client: Client, app: Litestar, pool: Pool, monkeypatch: pytest.MonkeyPatch, says: bool | None, words: str
) -> None:
    monitor = await add_monitor(pool)
    web: Web = app.state.web
    monkeypatch.setattr(web, "broker", Asked(says))
    answer = await client.submit(f"/monitors/{monitor}/check", headers={"HX-Request": "true"})
    assert words in answer.text
    assert "<html" not in answer.text
    answer = await client.submit(f"/monitors/{monitor}/check", follow_redirects=True)
    assert words in answer.text


async def test_without_redis_pages_work_and_say_what_does_not(
    client: Client, app: Litestar, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = await add_monitor(pool)
    async with Broker.connect("redis://127.0.0.1:1/0") as away:
        monkeypatch.setattr(app.state.web, "broker", away)
        assert (await client.get("/")).status_code == 200
        assert (await client.submit(f"/monitors/{monitor}/pause")).status_code == 303
        answer = await client.submit(f"/monitors/{monitor}/check", headers={"HX-Request": "true"})
        assert "Redis does not answer" in answer.text
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["database"]) == (200, "ok")
        assert ready.json()["redis"] == "does not answer"


async def test_incidents_are_listed_newest_first_and_by_page(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool, name="shop")
    async with pool.connection() as conn:
        await conn.execute(
            """insert into incidents (monitor_id, started_at, confirmed_at, ended_at, reason, message, region)
            select %s, at, at, case when n > 1 then at + interval '5 min' end, 'timeout', 'nr ' || n, 'local'
            from (select n, now() - n * interval '1 h' as at from generate_series(1, 60) n) rows""",
            (monitor,),
        )
    page = (await client.get("/incidents")).text
    assert re.findall(r">nr (\d+)<", page) == [str(n) for n in range(1, 51)]
    older = re.search(r'rel="next" href="([^"]+)"', page)
    assert older is not None
    assert re.findall(r">nr (\d+)<", (await client.get(older[1].replace("&amp;", "&"))).text)[-1] == "60"
    assert re.findall(r">nr (\d+)<", (await client.get("/incidents?state=open")).text) == ["1"]
    assert (await client.get("/incidents?before=yesterday")).status_code == 400


async def test_hourly_percentiles_are_those_of_the_histogram_functions(pool: Pool) -> None:
    monitor = await add_monitor(pool)
    async with pool.connection() as conn:
        await conn.execute(
            """insert into results (monitor_id, scheduled_at, region, version, status, latency_ms, started_at,
              recorded_at, evidence)
            select %s, at, region, 1, 'up', 0.05 + exp(random() * 13), at, at, '{}'
            from generate_series(now() - interval '3 days', now(), interval '9 min') at,
              unnest('{a,b}'::text[]) region""",
            (monitor,),
        )
        now = datetime.now(UTC)
        window = asked({"range": "7d"}, ZoneInfo("UTC"), now).window(monitor, 540, "hourly")
        buckets, total = history.put_together(window, await history.charted(conn, window, now))
    expected = await fetch(
        pool,
        """select bucket, sum(latency_count)::bigint, histogram_percentile(histogram_sum(latency_histogram), 0.5),
          histogram_percentile(histogram_sum(latency_histogram), 0.95) from results_hourly group by 1 order by 1""",
    )
    for found, (at, good, p50, p95) in zip(buckets, expected, strict=True):
        assert (found.at, found.good) == (at, good)
        assert found.p50 == pytest.approx(p50)
        assert found.p95 == pytest.approx(p95)
    [(p50, p99)] = await fetch(
        pool,
        """select histogram_percentile(histogram_sum(latency_histogram), 0.5),
          histogram_percentile(histogram_sum(latency_histogram), 0.99) from results_hourly""",
    )
    assert total.p50 == pytest.approx(p50)
    assert total.p99 == pytest.approx(p99)
