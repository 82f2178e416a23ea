"""Windows of maintenance in the database: what edits do to them, and what they do to status and uptime."""

from __future__ import annotations

import asyncio
import time as clock
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from pinguin.db import Pool, connection
from pinguin.errors import Conflict, InvalidInput, NotFound
from pinguin.maintenance import Cron, Manual, Once, Rule, Weekly
from pinguin.store import maintenance, maintenance_windows, monitors
from pinguin.store.maintenance import Draft
from pinguin.store.monitors import Filter
from tests.factory import add_monitor, fetch

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
SPANS = "select starts_at, ends_at from maintenance_windows order by starts_at, id"


def weekly(hours_ahead: float = 24, hours: float = 2) -> Weekly:
    """Every week from then on."""
    at = datetime.now(UTC) + timedelta(hours=hours_ahead)
    return Weekly(days=[at.isoweekday()], at=time(at.hour, at.minute), duration_s=round(hours * 3600))


def running(hours: float = 2) -> Once:
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    return Once(starts=now - HOUR, ends=now + timedelta(hours=hours))


async def plan(pool: Pool, rule: Rule | None = None, **given: Any) -> int:
    draft = Draft(**{"title": "Deploy", "rule": rule or weekly(), "everything": True, **given})
    async with connection(pool) as conn:
        return await maintenance.create(conn, draft)


async def edit(pool: Pool, maintenance_id: int, **changes: Any) -> None:
    async with connection(pool) as conn:
        was = await maintenance.get(conn, maintenance_id)
        names = ("title", "rule", "zone", "enabled", "counts", "everything", "tags", "monitor_ids")
        draft = Draft(**{name: getattr(was, name) for name in names} | changes)
        await maintenance.update(conn, maintenance_id, was.updated_at, draft)


def near(starts: float, ends: float) -> Any:
    """A window as `windows` returns it, to a minute or so."""
    return pytest.approx(starts, abs=0.03), pytest.approx(ends, abs=0.03)


async def windows(pool: Pool) -> list[tuple[float, float]]:
    """Every window: when it starts and ends, in hours from now."""
    now = datetime.now(UTC)
    return [tuple(round((at - now) / HOUR, 2) for at in row) for row in await fetch(pool, SPANS)]


async def add_window(pool: Pool, starts: datetime, ends: datetime, **given: Any) -> None:
    row = {"counts": "excluded", "everything": True, "tags": [], "monitor_ids": [], "settled": False, **given}
    if not await fetch(pool, "select from maintenances"):
        await plan(pool, Manual())
    await fetch(
        pool,
        "insert into maintenance_windows (maintenance_id, starts_at, ends_at, counts, everything, tags, monitor_ids,"
        " settled) values (1, %s, %s, %s, %s, %s, %s, %s) returning id",
        starts, ends, *row.values(),
    )  # fmt: skip


async def until(pool: Pool, monitor_id: int, at: datetime) -> Any:
    return (await fetch(pool, "select maintenance_until(%s, %s)", monitor_id, at))[0][0]


# -- planning


async def test_the_windows_of_five_weeks_are_written_at_once(pool: Pool) -> None:
    await plan(pool, weekly(hours_ahead=26))
    found = await windows(pool)
    assert len(found) == 5
    assert all(end - start == pytest.approx(2, abs=0.02) for start, end in found)
    assert found[1][0] - found[0][0] == pytest.approx(168, abs=0.02)


async def test_a_window_never_begins_in_the_past(pool: Pool) -> None:
    await plan(pool, running(2))
    assert await windows(pool) == [near(0, 2)]


async def test_planning_goes_on_where_it_ended(pool: Pool) -> None:
    made = await plan(pool, weekly(hours_ahead=26))
    before = await fetch(pool, SPANS)
    await fetch(pool, "update maintenances set planned_until = now() + interval '20 days' returning 1")
    await fetch(pool, "delete from maintenance_windows where starts_at >= now() + interval '20 days' returning 1")
    async with connection(pool) as conn:
        assert await maintenance_windows.due(conn) == [made]
        await maintenance_windows.plan(conn, made)
        assert await maintenance_windows.due(conn) == []
        await maintenance_windows.plan(conn, made)
    assert await fetch(pool, SPANS) == before


async def test_planning_goes_on_within_a_window(pool: Pool) -> None:
    """What was planned ended in the middle of windows that run into each other: they stay one."""
    made = await plan(pool, Cron(expression="0 * * * *", duration_s=1200))
    before = await fetch(pool, SPANS)
    await edit(pool, made, rule=Cron(expression="0,15 * * * *", duration_s=1200))
    after = await fetch(pool, SPANS)
    assert len(before) == pytest.approx(840, abs=1)
    assert len(after) == pytest.approx(len(before), abs=1)  # one more where a window runs now
    half = after[100][0] + timedelta(minutes=10)
    await fetch(pool, "delete from maintenance_windows where starts_at >= %s returning 1", half)
    await fetch(pool, "update maintenance_windows set ends_at = starts_at + interval '20 minutes' where starts_at = %s"
                " returning 1", after[100][0])  # fmt: skip
    await fetch(pool, "update maintenances set planned_until = %s returning 1", half)
    async with connection(pool) as conn:
        await maintenance_windows.plan(conn, made)
    assert await fetch(pool, SPANS) == after


async def test_what_somebody_wrote_in_psql_and_is_no_rule_harms_nobody_else(pool: Pool) -> None:
    made = await plan(pool)
    await fetch(pool, 'update maintenances set rule = \'{"kind": "often"}\', planned_until = now() returning 1')
    async with connection(pool) as conn:
        with pytest.raises(InvalidInput):
            await maintenance_windows.plan(conn, made)
        assert await maintenance_windows.due(conn) == []
        (shown,) = await maintenance.listed(conn)
    assert (shown.rule, shown.coming(5)) == (None, [])
    assert "is not understood" in shown.problem


# -- edits


async def test_an_edit_keeps_the_past_replaces_the_coming_and_moves_the_end_of_the_running_window(pool: Pool) -> None:
    made = await plan(pool, running(2))
    await fetch(pool, "update maintenance_windows set starts_at = starts_at - interval '30 minutes' returning 1")
    await add_window(pool, datetime.now(UTC) - 5 * HOUR, datetime.now(UTC) - 4 * HOUR)
    rule = running(5)
    await edit(pool, made, rule=rule)
    past, longer = await windows(pool)
    assert past == near(-5, -4)
    assert longer == near(-0.5, 5)
    await edit(pool, made, rule=running(1))
    assert (await windows(pool))[1] == near(-0.5, 1)
    await edit(pool, made, rule=weekly(48))
    found = await windows(pool)
    assert found[0] == past
    assert found[1] == near(-0.5, 0)
    assert len(found) == 7
    assert found[2][0] == pytest.approx(48, abs=0.05)


async def test_an_edit_of_words_touches_no_window(pool: Pool) -> None:
    made = await plan(pool, running(2))
    async with connection(pool) as conn:
        await maintenance.end(conn, made)
    before = await fetch(pool, "select * from maintenance_windows")
    await edit(pool, made, title="Another")
    assert await fetch(pool, "select * from maintenance_windows") == before


async def test_an_edit_of_whom_it_is_for_leaves_the_past_as_it_was(pool: Pool) -> None:
    shop, mail = await add_monitor(pool, name="shop"), await add_monitor(pool, name="mail")
    made = await plan(pool, running(2), everything=False, monitor_ids=[shop])
    await fetch(pool, "update maintenance_windows set starts_at = starts_at - interval '2 hours' returning 1")
    await edit(pool, made, monitor_ids=[mail])
    now = datetime.now(UTC)
    assert await until(pool, shop, now - HOUR) is not None
    assert await until(pool, mail, now - HOUR) is None
    assert await until(pool, shop, now) is None
    assert await until(pool, mail, now) is not None


async def test_switched_off_it_ends_and_on_it_begins(pool: Pool) -> None:
    made = await plan(pool, running(2))
    await edit(pool, made, enabled=False)
    assert all(end <= 0 for _, end in await windows(pool))
    await edit(pool, made, enabled=True)
    assert (await windows(pool))[-1] == near(0, 2)


async def test_two_edits_from_the_same_page_are_a_conflict(pool: Pool) -> None:
    made = await plan(pool)
    async with connection(pool) as conn:
        was = await maintenance.get(conn, made)
        draft = Draft(title="One", rule=weekly(), everything=True)
        await maintenance.update(conn, made, was.updated_at, draft)
        with pytest.raises(Conflict):
            await maintenance.update(conn, made, was.updated_at, draft)
        with pytest.raises(NotFound):
            await maintenance.update(conn, made + 1, was.updated_at, draft)


async def test_deleted_its_past_stays_and_the_rest_goes(pool: Pool) -> None:
    shop = await add_monitor(pool)
    made = await plan(pool, running(2))
    await fetch(pool, "update maintenance_windows set starts_at = starts_at - interval '1 hour' returning 1")
    async with connection(pool) as conn:
        await maintenance.start(conn, await plan(pool, Manual()), HOUR)
        await maintenance.archive(conn, made)
        with pytest.raises(NotFound):
            await maintenance.get(conn, made)
        assert [each.title for each in await maintenance_windows.past(conn) if each.archived] == ["Deploy"]
    assert (await windows(pool))[0] == near(-1, 0)
    assert await until(pool, shop, datetime.now(UTC) - MINUTE) is not None


# -- by hand


async def test_it_is_started_extended_and_ended_by_hand(pool: Pool) -> None:
    made = await plan(pool, Manual())
    async with connection(pool) as conn:
        for change in (maintenance.end(conn, made), maintenance.extend(conn, made, HOUR)):
            with pytest.raises(InvalidInput, match="does not run"):
                await change
        await maintenance.start(conn, made, 2 * HOUR)
        with pytest.raises(InvalidInput, match="runs already"):
            await maintenance.start(conn, made, HOUR)
        await maintenance.extend(conn, made, HOUR)
        assert await windows(pool) == [near(0, 3)]
        await maintenance.end(conn, made)
    assert await windows(pool) == [near(0, 0)]


async def test_what_runs_by_hand_goes_on_when_the_rule_is_edited(pool: Pool) -> None:
    made = await plan(pool, weekly(48))
    async with connection(pool) as conn:
        await maintenance.start(conn, made, HOUR)
    await edit(pool, made, rule=weekly(72))
    assert (await windows(pool))[0] == near(0, 1)
    await edit(pool, made, enabled=False)
    assert len(await windows(pool)) == 1
    assert (await windows(pool))[0][1] <= 0
    async with connection(pool) as conn:
        with pytest.raises(InvalidInput) as refused:
            await maintenance.start(conn, made, HOUR)
    assert set(refused.value.fields) == {"enabled"}


async def test_a_window_that_was_ended_by_hand_stays_ended(pool: Pool) -> None:
    """The leader plans ahead; it does not put back what somebody took away."""
    made = await plan(pool, running(2))
    async with connection(pool) as conn:
        await maintenance.end(conn, made)
        await fetch(pool, "update maintenances set planned_until = now() returning 1")
        await maintenance_windows.plan(conn, made)
    assert len(await windows(pool)) == 1


@pytest.mark.parametrize("length", [timedelta(0), -HOUR, timedelta(days=15), timedelta(days=10**6)])
async def test_an_odd_length_is_refused(pool: Pool, length: timedelta) -> None:
    made = await plan(pool, Manual())
    async with connection(pool) as conn:
        with pytest.raises(InvalidInput) as refused:
            await maintenance.start(conn, made, length)
    assert set(refused.value.fields) == {"hours"}


# -- input


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"title": "  "}, {"title"}),
        ({"title": "x" * 201, "description": "x" * 5001}, {"title", "description"}),
        ({"title": "a\x00b", "zone": "Mars/Olympus"}, {"title", "zone"}),
        ({"zone": "../../../etc/passwd", "counts": "sometimes"}, {"zone", "counts"}),
        ({"everything": False}, {"monitors"}),
        ({"everything": False, "monitor_ids": [1, 99]}, {"monitors"}),
        ({"everything": False, "monitor_ids": [-1]}, {"monitors"}),
        ({"everything": False, "monitor_ids": [2**63]}, {"monitors"}),
        ({"everything": False, "monitor_ids": list(range(1, 10_000))}, {"monitors"}),
        ({"everything": False, "tags": ["x" * 51]}, {"tags"}),
        ({"rule": Cron(expression="0 * * * *", duration_s=864_000)}, {"duration"}),
        ({"rule": Once(starts=datetime(2020, 1, 1), ends=datetime(2020, 1, 2))}, {"ends"}),
    ],
)
async def test_bad_input_is_refused_by_field(pool: Pool, given: dict[str, Any], fields: set[str]) -> None:
    await add_monitor(pool)
    with pytest.raises(InvalidInput) as refused:
        await plan(pool, **given)
    assert set(refused.value.fields) == fields
    assert await fetch(pool, "select from maintenances") == []


async def test_a_monitor_that_was_deleted_meanwhile_does_not_stand_in_the_way(pool: Pool) -> None:
    shop = await add_monitor(pool)
    made = await plan(pool, everything=False, monitor_ids=[shop])
    async with connection(pool) as conn:
        await monitors.archive(conn, shop)
    await edit(pool, made, title="Another")
    with pytest.raises(InvalidInput, match="no monitor 1"):
        await plan(pool, everything=False, monitor_ids=[shop])


# -- whom it is for


async def test_it_is_for_chosen_monitors_for_tags_or_for_all(pool: Pool) -> None:
    shop = await add_monitor(pool, name="shop", tags=["web", "eu"])
    mail = await add_monitor(pool, name="mail", tags=["mail"])
    disk = await add_monitor(pool, name="disk")
    now = datetime.now(UTC)

    async def covered() -> set[int]:
        listed = {row[0] for row in await fetch(pool, "select * from monitors_in_maintenance(%s)", now)}
        alone = {each for each in (shop, mail, disk) if await until(pool, each, now)}
        both = "select monitor_id from monitor_windows(%s, %s, %s)"
        left_out = {row[0] for row in await fetch(pool, both, [shop, mail, disk], now - MINUTE, now)}
        assert listed == alone == left_out
        return listed

    assert await covered() == set()
    await add_window(pool, now - HOUR, now + HOUR, everything=False, tags=["web", "ftp"])
    assert await covered() == {shop}
    await add_window(pool, now - HOUR, now + HOUR, everything=False, monitor_ids=[disk], tags=["web"])
    assert await covered() == {shop, disk}
    await add_window(pool, now - HOUR, now + HOUR)
    assert await covered() == {shop, mail, disk}


async def test_tags_that_come_later_do_not_change_the_past(pool: Pool) -> None:
    shop = await add_monitor(pool, name="shop", tags=["web"])
    mail = await add_monitor(pool, name="mail")
    now = datetime.now(UTC)
    await add_window(pool, now - 2 * HOUR, now - HOUR, everything=False, tags=["web"])
    async with connection(pool) as conn:
        await maintenance_windows.settle(conn)
    await fetch(
        pool, "update monitors set tags = case when id = %s then '{}'::text[] else '{web}' end returning 1", shop
    )
    assert await until(pool, shop, now - 90 * MINUTE) == now - HOUR
    assert await until(pool, mail, now - 90 * MINUTE) is None


async def test_windows_that_overlap_or_touch_are_one(pool: Pool) -> None:
    shop, mail = await add_monitor(pool, name="shop"), await add_monitor(pool, name="mail")
    now = datetime.now(UTC)
    mine = {"everything": False, "monitor_ids": [shop]}
    for start, end, given in ((0, 2, {}), (1, 4, mine), (4, 6, mine), (7, 8, {})):
        await add_window(pool, now + start * HOUR, now + end * HOUR, **given)
    assert await until(pool, shop, now) == now + 6 * HOUR
    assert await until(pool, mail, now) == now + 2 * HOUR
    assert await until(pool, shop, now + 6 * HOUR) is None
    assert await until(pool, shop, now + 7 * HOUR) == now + 8 * HOUR
    assert await until(pool, mail, now - MINUTE) is None
    sql = "select windows from monitor_windows(%s, %s, %s)"
    ((found,),) = await fetch(pool, sql, [shop], now + HOUR, now + 10 * HOUR)
    assert [(part.lower, part.upper) for part in found] == [
        (now + HOUR, now + 6 * HOUR),
        (now + 7 * HOUR, now + 8 * HOUR),
    ]


async def test_of_what_lies_ahead_there_is_nothing_to_say(pool: Pool) -> None:
    shop = await add_monitor(pool, name="shop")
    now = datetime.now(UTC)
    await add_window(pool, now - HOUR, now + 5 * HOUR)
    ahead = now + HOUR, now + 2 * HOUR
    for function in ("uptime", "status_seconds", "monitor_windows"):
        found = await fetch(pool, f"select * from {function}(%s, %s, %s)", [shop], *ahead)
        assert bool(found) is (function == "monitor_windows")
    for function in ("uptime", "status_seconds"):
        assert await fetch(pool, f"select * from history.{function}(%s, %s, %s)", *ahead, shop) == []
        assert await fetch(pool, f"select * from {function}(%s, %s, %s)", [shop], now, now - HOUR) == []
    assert await fetch(pool, "select * from monitor_windows(%s, %s, %s)", [shop], now, now - HOUR) == []


# -- what people see


async def test_a_monitor_in_maintenance_says_so_and_what_it_would_be(pool: Pool) -> None:
    shop, _, idle = [await add_monitor(pool, name=name) for name in ("shop", "mail", "idle")]
    await fetch(
        pool, "update monitor_states set status = 'down', reason = 'refused' where monitor_id = %s returning 1", shop
    )
    await fetch(pool, "update monitors set enabled = false where id = %s returning 1", idle)
    await plan(pool, running(2), everything=False, monitor_ids=[shop, idle])
    async with connection(pool) as conn:
        listed = await monitors.listed(conn, Filter())
        counts = await monitors.counts(conn)
        one = await monitors.get(conn, shop)
        in_maintenance = await monitors.listed(conn, Filter(status="maintenance"))
        down = await monitors.listed(conn, Filter(status="down"))
    assert [(each.name, each.status, each.real_status) for each in listed] == [
        ("mail", "pending", "pending"), ("shop", "maintenance", "down"), ("idle", "paused", "paused"),
    ]  # fmt: skip
    assert {status.value: count for status, count in counts.items() if count} == {
        "pending": 1, "maintenance": 1, "paused": 1,
    }  # fmt: skip
    assert (one.status, one.real_status) == ("maintenance", "down")
    assert one.maintenance_until is not None
    assert ([each.name for each in in_maintenance], down) == (["shop"], [])
    assert await fetch(pool, "select status from monitor_states where monitor_id = %s", shop) == [("down",)]


# -- uptime


async def add_history(pool: Pool, began: datetime, *changes: tuple[float, str]) -> int:
    """A monitor and when it became what, in hours after `began`."""
    monitor_id = await add_monitor(pool, began)
    await fetch(pool, "delete from transitions returning 1")
    for hours, status in changes:
        at = began + timedelta(hours=hours)
        await fetch(
            pool,
            "insert into transitions (monitor_id, at, confirmed_at, to_status) values (%s, %s, %s, %s) returning 1",
            monitor_id, at, at, status,
        )  # fmt: skip
    return monitor_id


async def uptime(pool: Pool, monitor_id: int, begin: datetime, end: datetime) -> tuple[Any, ...]:
    sql = "select uptime, up_s / 3600, down_s / 3600, unmonitored_s / 3600 from uptime(%s, %s, %s)"
    (row,) = await fetch(pool, sql, [monitor_id], begin, end)
    return row


async def seconds(pool: Pool, monitor_id: int, begin: datetime, end: datetime) -> dict[str, float]:
    """Hours by status."""
    sql = "select status::text, seconds / 3600 from status_seconds(%s, %s, %s)"
    return dict(await fetch(pool, sql, [monitor_id], begin, end))


MIDNIGHT = datetime(2026, 1, 10, tzinfo=UTC)


async def test_time_in_a_window_is_neither_up_nor_down(pool: Pool) -> None:
    shop = await add_history(pool, MIDNIGHT, (0, "up"), (6, "down"), (8, "up"))
    assert await uptime(pool, shop, MIDNIGHT, MIDNIGHT + DAY) == (pytest.approx(22 / 24), 22, 2, 0)
    await add_window(pool, MIDNIGHT + 5 * HOUR, MIDNIGHT + 7 * HOUR)
    assert await uptime(pool, shop, MIDNIGHT, MIDNIGHT + DAY) == (pytest.approx(21 / 22), 21, 1, 2)
    assert await seconds(pool, shop, MIDNIGHT, MIDNIGHT + DAY) == {"up": 21, "down": 1, "maintenance": 2}


async def test_a_day_wholly_in_maintenance_has_no_uptime(pool: Pool) -> None:
    """TRAP 10: not 50 %, not 100 %, not 0 %."""
    shop = await add_history(pool, MIDNIGHT, (0, "up"), (12, "down"))
    await add_window(pool, MIDNIGHT - HOUR, MIDNIGHT + 30 * HOUR)
    assert await uptime(pool, shop, MIDNIGHT, MIDNIGHT + DAY) == (None, 0, 0, 24)
    assert await seconds(pool, shop, MIDNIGHT, MIDNIGHT + DAY) == {"maintenance": 24}


async def test_windows_that_overlap_are_taken_off_once(pool: Pool) -> None:
    """TRAP 11: never above 100 %, and the day keeps its 24 hours."""
    shop = await add_history(pool, MIDNIGHT, (0, "up"), (20, "down"))
    for start, end in ((1, 5), (2, 6), (3, 4), (6, 8), (19, 21)):
        await add_window(pool, MIDNIGHT + start * HOUR, MIDNIGHT + end * HOUR)
    found = await seconds(pool, shop, MIDNIGHT, MIDNIGHT + DAY)
    assert found == {"up": 12, "down": 3, "maintenance": 9}
    share, *_ = await uptime(pool, shop, MIDNIGHT, MIDNIGHT + DAY)
    assert share == pytest.approx(12 / 15)


async def test_a_maintenance_may_count_as_measured(pool: Pool) -> None:
    shop = await add_history(pool, MIDNIGHT, (0, "up"), (6, "down"), (8, "up"))
    await add_window(pool, MIDNIGHT, MIDNIGHT + 10 * HOUR, counts="as_measured")
    assert await uptime(pool, shop, MIDNIGHT, MIDNIGHT + DAY) == (pytest.approx(22 / 24), 22, 2, 0)
    assert await until(pool, shop, MIDNIGHT + HOUR) == MIDNIGHT + 10 * HOUR


async def test_a_window_that_is_still_to_come_takes_nothing_off(pool: Pool) -> None:
    now = datetime.now(UTC)
    shop = await add_history(pool, now - 10 * HOUR, (0, "up"))
    await add_window(pool, now - HOUR, now + 5 * HOUR)
    found = await seconds(pool, shop, now - 4 * HOUR, now + 10 * HOUR)
    assert found == {"up": pytest.approx(3, abs=0.02), "maintenance": pytest.approx(1, abs=0.02)}


async def test_every_second_is_counted_once_whatever_overlaps(pool: Pool) -> None:
    """Random histories and windows, counted minute by minute as well."""
    from random import Random

    chance = Random(7)
    for _ in range(6):
        async with connection(pool) as conn:
            await conn.execute("truncate monitors, maintenances restart identity cascade")
        minutes = sorted(chance.sample(range(1440), 8))
        statuses = [chance.choice(["up", "down", "degraded", "unknown", "paused"]) for _ in minutes]
        shop = await add_history(pool, MIDNIGHT, *((at / 60, each) for at, each in zip(minutes, statuses, strict=True)))
        spans = [(start, start + chance.randint(1, 400)) for start in (chance.randint(-100, 1440) for _ in range(6))]
        for start, end in spans:
            await add_window(pool, MIDNIGHT + start * MINUTE, MIDNIGHT + end * MINUTE)
        expected: dict[str, int] = {}
        for minute in range(minutes[0], 1440):
            status = [each for at, each in zip(minutes, statuses, strict=True) if at <= minute][-1]
            if any(start <= minute < end for start, end in spans):
                status = "maintenance"
            expected[status] = expected.get(status, 0) + 1
        found = await seconds(pool, shop, MIDNIGHT, MIDNIGHT + DAY)
        assert {status: round(hours * 60, 6) for status, hours in found.items()} == expected


async def test_ten_thousand_monitors_without_windows_cost_little(pool: Pool) -> None:
    await fetch(
        pool,
        "insert into monitors (name, type, target, options) select 'm', 'tcp', 'x', '{}' from generate_series(1, 10000)"
        " returning 1",
    )
    year = "select from monitor_windows(array(select id from monitors), now() - interval '1 year', now())"
    took = []
    for _ in range(5):
        began = clock.perf_counter()
        assert await fetch(pool, year) == []
        assert await fetch(pool, "select * from monitors_in_maintenance(now())") == []
        took.append(clock.perf_counter() - began)
    assert min(took) < 0.2


async def test_an_alert_asks_while_windows_are_written(pool: Pool) -> None:
    """Senders and the leader at once: nobody waits for the other."""
    shop = await add_monitor(pool)
    await asyncio.gather(*(plan(pool, Cron(expression="*/30 * * * *", duration_s=60)) for _ in range(3)),
                         *(until(pool, shop, datetime.now(UTC)) for _ in range(20)))  # fmt: skip
    assert len(await windows(pool)) == pytest.approx(3 * 48 * 35, abs=6)
