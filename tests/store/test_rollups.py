"""Roll-ups: counts add up, percentiles merge, and TimescaleDB's policies do what the settings say."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from pinguin.db import Pool, connection
from pinguin.settings import Settings
from pinguin.setup import prepare_database
from pinguin.store import upkeep
from tests.conftest import Services
from tests.factory import add_monitor, fetch

FRACTIONS = [0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999]

# They end with a day: where hourly roll-ups end within a chunk, a refresh of the daily ones asks for the watermark with
# each raw row of that chunk, at some 20 µs.
FILL = """
insert into results (monitor_id, scheduled_at, region, version, status, latency_ms, started_at, recorded_at, evidence)
select 1 + n %% 10, date_trunc('day', now()) - n * interval '0.25 s', 'local', 1,
  case when n %% 1000 = 0 then 'down' when n %% 100 = 0 then 'degraded' else 'up' end::monitor_status,
  case when n %% 1000 <> 0 then {latency} end, now(), now(), '{{}}'
from generate_series(1, %s) n
"""
SHAPES = {
    "log-normal": "exp(4 + sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))::real",
    "two humps": "(case when random() < 0.7 then 5 + random() else 800 + 100 * random() end)::real",
    "sub-millisecond": "(0.2 + random() * 0.5)::real",
}


async def fill(pool: Pool, shape: str, rows: int) -> None:
    async with pool.connection() as conn:
        await conn.execute("select setseed(0.42)")
        await conn.execute(FILL.format(latency=SHAPES[shape]), (rows,))
        for relation in ("results_hourly", "results_daily"):
            await conn.execute(
                f"call refresh_continuous_aggregate('{relation}', date_trunc('day', now()) - interval '4 days', now())"
            )


@pytest.mark.parametrize(
    ("shape", "rows"), [("log-normal", 1_000_000), ("two humps", 50_000), ("sub-millisecond", 50_000)]
)
async def test_merged_percentiles_are_within_3_percent_of_the_exact_ones(pool: Pool, shape: str, rows: int) -> None:
    await fill(pool, shape, rows)
    good = "status in ('up', 'degraded')"
    exact_sql = f"select percentile_cont(%s::float8[]) within group (order by latency_ms) from results where {good}"
    ((exact,),) = await fetch(pool, exact_sql, FRACTIONS)
    for relation in ("results_hourly", "results_daily"):
        sql = (
            f"with h as (select histogram_sum(latency_histogram) as bins from {relation}) "
            "select array(select histogram_percentile(bins, f) from unnest(%s::float8[]) f) from h"
        )
        ((merged,),) = await fetch(pool, sql, FRACTIONS)
        for fraction, approximate, true in zip(FRACTIONS, merged, exact, strict=True):
            assert approximate == pytest.approx(true, rel=0.03), (relation, fraction)


async def test_roll_ups_count_what_the_results_say(pool: Pool) -> None:
    """TRAP 22."""
    await fill(pool, "log-normal", 20_000)
    columns = "sum(checks), sum(up), sum(degraded), sum(down), sum(unknown), sum(latency_count)"
    for relation in ("results_hourly", "results_daily"):
        assert await fetch(pool, f"select {columns} from {relation}") == [(20_000, 19_800, 180, 20, 0, 19_980)]
        ((total,),) = await fetch(pool, f"select sum(latency_ms_sum) from {relation}")
        ((exact,),) = await fetch(pool, "select sum(latency_ms::float8) from results where status <> 'down'")
        assert total == pytest.approx(exact)


async def test_a_new_result_is_in_the_roll_ups_at_once(pool: Pool) -> None:
    await fill(pool, "two humps", 100)
    await fetch(
        pool,
        "insert into results (monitor_id, scheduled_at, region, version, status, started_at, recorded_at, evidence) "
        "values (77, now(), 'local', 1, 'up', now(), now(), '{}') returning 1",
    )
    for relation in ("results_hourly", "results_daily"):
        assert await fetch(pool, f"select sum(checks) from {relation} where monitor_id = 77") == [(1,)]


async def test_the_columnstore_answers_the_same(pool: Pool) -> None:
    await fill(pool, "log-normal", 20_000)
    sql = "select count(*), sum(latency_ms::float8) from results"
    before = await fetch(pool, sql)
    async with pool.connection() as conn:
        await conn.execute("select compress_chunk(chunk) from show_chunks('results') chunk")
    assert await fetch(pool, sql) == [(before[0][0], pytest.approx(before[0][1]))]
    await fetch(pool, "insert into results select * from results limit 5 on conflict do nothing returning 1")
    assert (await fetch(pool, sql))[0][0] == before[0][0]


async def test_a_year_of_days_lies_in_few_chunks(pool: Pool) -> None:
    """The planner opens each of them for the page of a monitor."""
    ((width,),) = await fetch(
        pool,
        """select d.time_interval
        from timescaledb_information.continuous_aggregates c
        join timescaledb_information.dimensions d on d.hypertable_name = c.materialization_hypertable_name
        where c.view_name = 'results_daily'""",
    )
    assert width == timedelta(days=90)


async def test_policies_follow_the_settings(pool: Pool, stack: Services) -> None:
    first = Settings(database_url=stack.database_url)
    await prepare_database(first)
    assert await prepare_database(first) == []
    changed = await prepare_database(Settings(database_url=stack.database_url, raw_retention_days=30))
    assert sorted(changed) == ["retention of pings: 30 days", "retention of results: 30 days"]
    jobs = "select count(*) from timescaledb_information.jobs"
    sql = f"{jobs} where proc_name = 'policy_retention' and hypertable_name = 'results'"
    assert await fetch(pool, sql) == [(1,)]


async def test_due_jobs_run_and_old_chunks_are_dropped_not_deleted(pool: Pool, stack: Services) -> None:
    """TRAP 23. What background workers do on a server, our leader does on the embedded database."""
    await prepare_database(Settings(database_url=stack.database_url))
    await add_monitor(pool)
    await fill(pool, "two humps", 1000)
    await fetch(
        pool,
        "insert into results (monitor_id, scheduled_at, region, version, status, started_at, recorded_at, evidence) "
        "values (1, now() - interval '100 days', 'local', 1, 'up', now(), now(), '{}') returning 1",
    )
    async with connection(pool) as conn:
        due = await upkeep.due_jobs(conn)
        assert {"policy_retention", "policy_compression", "policy_refresh_continuous_aggregate"} <= {
            job[1] for job in due
        }
        for job_id, *_ in due:
            assert await upkeep.run_job(conn, job_id) is None
        assert await upkeep.due_jobs(conn) == []
    assert await fetch(pool, "select count(*) from results where scheduled_at < now() - interval '90 days'") == [(0,)]
    assert await fetch(pool, "select count(*) from results") == [(1000,)]


async def test_a_failing_job_is_reported_and_not_run_at_once_again(pool: Pool) -> None:
    async with connection(pool) as conn:
        error = await upkeep.run_job(conn, 999_999)
        assert error is not None
        assert "999999" in error
        assert await (await conn.execute("select error from job_runs where job_id = 999999")).fetchone() == (error,)


async def test_a_latency_of_zero_is_refused(pool: Pool) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        await fetch(
            pool,
            "insert into results (monitor_id, scheduled_at, region, version, status, latency_ms, started_at, "
            "recorded_at, evidence) values (1, now(), 'local', 1, 'up', 0, now(), now(), '{}') returning 1",
        )


async def test_uptime_is_weighted_by_time_and_leaves_out_what_was_not_monitored(pool: Pool) -> None:
    """TRAPS 10 and 11."""
    ((began,),) = await fetch(pool, "select now() - interval '10 hours'")
    shop = await add_monitor(pool, began)
    history = [(1, "up"), (3, "down"), (4, "up"), (5, "unknown"), (6, "maintenance"), (8, "degraded"), (9, "down")]
    for hours, status in history:
        await fetch(
            pool,
            "insert into transitions (monitor_id, at, confirmed_at, to_status) values (%s, %s, now(), %s) returning 1",
            shop, began + timedelta(hours=hours), status,
        )  # fmt: skip
    sql = "select uptime, up_s, down_s, unmonitored_s from uptime(%s, %s, %s)"
    ((uptime, up, down, unmonitored),) = await fetch(pool, sql, [shop], began, began + timedelta(hours=10))
    assert (up, down, unmonitored) == (4 * 3600, 2 * 3600, 4 * 3600)
    assert uptime == pytest.approx(4 / 6)
    within = await fetch(pool, sql, [shop], began + timedelta(hours=6), began + timedelta(hours=7))
    assert within == [(None, 0, 0, 3600)]
    ((later, *_),) = await fetch(pool, sql, [shop], began + timedelta(hours=8), began + timedelta(days=9))
    assert 0 <= later <= 1
