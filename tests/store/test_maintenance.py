"""Windows of maintenance in the database: how they are planned, and what edits do to them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pinguin.db import Pool, connection
from pinguin.errors import Conflict, InvalidInput, NotFound
from pinguin.maintenance import Cron, Manual, Once
from pinguin.store import maintenance, maintenance_windows, monitors
from pinguin.store.maintenance import Draft
from tests.factory import add_monitor, fetch
from tests.store.planning import HOUR, MINUTE, SPANS, add_window, edit, near, plan, running, until, weekly, windows


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


async def test_an_alert_asks_while_windows_are_written(pool: Pool) -> None:
    """Senders and the leader at once: nobody waits for the other."""
    shop = await add_monitor(pool)
    await asyncio.gather(*(plan(pool, Cron(expression="*/30 * * * *", duration_s=60)) for _ in range(3)),
                         *(until(pool, shop, datetime.now(UTC)) for _ in range(20)))  # fmt: skip
    assert len(await windows(pool)) == pytest.approx(3 * 48 * 35, abs=6)
