"""/metrics: this process for anyone, every monitor for who has a token."""

from __future__ import annotations

import pytest
from litestar import Litestar
from prometheus_client.parser import text_string_to_metric_families

from pinguin.db import Pool
from pinguin.web.monitor_metrics import MonitorMetrics
from pinguin.web.service import Web
from tests.api.conftest import Program, new_token, program
from tests.factory import add_monitor, fetch, set_status
from tests.web.conftest import Statements

Samples = dict[tuple[str, str], float]


def samples(text: str) -> Samples:
    """By name and monitor."""
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(each.name, each.labels["id"]): each.value for each in found if "id" in each.labels}


@pytest.fixture
def fresh(app: Litestar) -> Litestar:
    """Nothing is kept of the test before."""
    web: Web = app.state.web
    web.measured = MonitorMetrics()
    return app


async def test_prometheus_reads_every_monitor(fresh: Litestar, owner: Program, pool: Pool) -> None:
    hostile = 'a"b\\c\nd}{'
    shop, down = await add_monitor(pool, name=hostile), await add_monitor(pool, name="down")
    paused = await add_monitor(pool, name="paused", enabled=False)
    await set_status(pool, shop, "up")
    await set_status(pool, down, "down", "timeout")
    await fetch(pool, "update monitor_states set latency_ms = 84 where monitor_id = %s returning 1", shop)
    await fetch(
        pool,
        "insert into monitor_expiries (monitor_id, kind, expires_at) "
        "values (%s, 'certificate', to_timestamp(1800000000)) returning 1",
        shop,
    )
    async with program(fresh, await new_token(pool, 1, "metrics")) as prometheus:
        answer = await prometheus.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = samples(answer.text)
    assert found["pinguin_monitor_up", str(shop)] == 1
    assert found["pinguin_monitor_up", str(down)] == 0
    assert ("pinguin_monitor_up", str(paused)) not in found
    assert found["pinguin_monitor_latency_seconds", str(shop)] == pytest.approx(0.084)
    assert found["pinguin_monitor_certificate_expiry_timestamp_seconds", str(shop)] == 1_800_000_000
    labels = {
        sample.labels["id"]: sample.labels
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == "pinguin_monitor_status"
    }
    assert labels[str(shop)] == {"id": str(shop), "name": hostile, "type": "tcp", "status": "up"}
    assert [labels[str(each)]["status"] for each in (down, paused)] == ["down", "paused"]


async def test_uptime_is_that_of_the_pages(fresh: Litestar, owner: Program, pool: Pool) -> None:
    """Of those that changed in the day, did not, were in maintenance, were paused, and are new."""
    changed, steady, broken, rested, paused, new = [await add_monitor(pool, name=f"m{number}") for number in range(6)]
    every = [changed, steady, broken, rested, paused, new]
    await fetch(pool, "delete from transitions where monitor_id = any(%s) returning 1", every)
    hours: dict[int, list[tuple[float, str]]] = {
        changed: [(48, "up"), (6, "down"), (3, "degraded"), (1, "unknown"), (0.5, "up")],
        steady: [(48, "up")],
        broken: [(30, "down")],
        rested: [(48, "up"), (5, "down"), (4, "up")],
        paused: [(30, "up"), (25, "paused")],
        new: [(0.1, "pending")],
    }
    for monitor, past in hours.items():
        before: str | None = None
        for ago, status in past:
            await fetch(
                pool,
                """insert into transitions (monitor_id, at, confirmed_at, from_status, to_status)
                select %s, at, at, %s, %s from (select now() - %s * interval '1 hour' as at) before returning 1""",
                monitor, before, status, ago,
            )  # fmt: skip
            before = status
        await set_status(pool, monitor, past[-1][1])
    await fetch(
        pool,
        """with made as (
          insert into maintenances (title, rule, zone) values ('work', '{"kind": "manual"}', 'UTC') returning id)
        insert into maintenance_windows (maintenance_id, starts_at, ends_at, counts, everything, tags, monitor_ids)
        select id, now() - interval '270 minutes', now() - interval '1 hour', 'excluded', false, '{}', array[%s::bigint]
        from made returning 1""",
        rested,
    )
    right = await fetch(
        pool, "select monitor_id, uptime from uptime(%s::bigint[], now() - interval '24 hours', now())", every
    )
    found = samples((await owner.get("/metrics")).text)
    shown = {monitor: found.get(("pinguin_monitor_uptime_ratio", str(monitor))) for monitor in every}
    assert shown == {
        monitor: uptime if uptime is None else pytest.approx(uptime, abs=1e-4) for monitor, uptime in right
    }
    assert (shown[steady], shown[broken], shown[paused], shown[new]) == (1, 0, None, None)
    assert 0.8 < (shown[changed] or 0) < (shown[rested] or 0) < 1


async def test_strangers_read_nothing_of_monitors(
    fresh: Litestar, stranger: Program, owner: Program, pool: Pool
) -> None:
    await add_monitor(pool, name="hidden")
    answer = await stranger.get("/metrics")
    assert answer.status_code == 200
    assert "process_resident_memory_bytes" in answer.text
    assert "hidden" not in answer.text
    assert "pinguin_monitor_" not in answer.text
    wrong = await stranger.get("/metrics", headers={"Authorization": "Bearer pgn_wrong"})
    assert wrong.status_code == 401


async def test_one_query_however_many_monitors_and_scrapes(
    fresh: Litestar, owner: Program, pool: Pool, statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinguin.web.monitor_metrics.KEPT_S", 600)
    for number in range(5):
        await add_monitor(pool, name=f"m{number}")
    await owner.get("/metrics")
    statements.count = 0
    assert (await owner.get("/metrics")).text.count("pinguin_monitor_status{") == 5
    assert statements.count == 1  # whose token it is
