"""`pinguin replay`: history again, exactly as it was or under other thresholds."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from pinguin.db import Pool, connection
from pinguin.errors import InvalidInput
from pinguin.model import AlertRules, Result, Status
from pinguin.replay.command import _moment, compared
from pinguin.replay.history import History, Outage, Thresholds
from pinguin.replay.telling import tell
from pinguin.store import replay as store
from pinguin.worker.recorder import record
from tests.conftest import Services
from tests.factory import EPOCH, add_monitor, fetch, result

LETTERS = {"u": Status.UP, "g": Status.DEGRADED, "d": Status.DOWN, "n": Status.UNKNOWN}
ALWAYS = EPOCH - timedelta(days=1)


async def played(pool: Pool, monitor_id: int, thresholds: Thresholds | None = None, most: int = 3) -> History:
    """All of it again, in small pages."""
    until = datetime.now(UTC) + timedelta(days=1)
    async with connection(pool) as conn:
        (monitor,) = await store.find(conn, str(monitor_id))
        history = History(
            await store.beginning(conn, monitor_id, ALWAYS),
            await store.versions(conn, monitor),
            await store.acts(conn, monitor_id, ALWAYS, until),
            thresholds,
        )
        async for page in store.results(conn, monitor_id, ALWAYS, until, most):
            history.add(page)
        history.end(until)
    return history


RESOLVE = """
with closed as (
  update incidents i set ended_at = greatest(clock_timestamp(), i.started_at), closed_by = 'hand'
  from monitor_states s where s.monitor_id = %s and i.id = s.incident_id returning i.*), noted as (
  insert into transitions (monitor_id, at, confirmed_at, from_status, to_status, incident_id)
  select c.monitor_id, c.ended_at, c.ended_at, s.status, 'pending', c.id
  from closed c join monitor_states s on s.monitor_id = c.monitor_id)
update monitor_states s set status = 'pending', since = c.ended_at, last_slot = greatest(s.last_slot, c.ended_at),
  failures = 0, successes = 0, unknowns = 0, streak_since = null, incident_id = null
from closed c where s.monitor_id = c.monitor_id
returning 1
"""

STEPS = st.one_of(
    st.text("uudddgn", min_size=1, max_size=5),
    st.sampled_from(["gap", "edit", "threshold", "pause", "resume", "resolve", "late"]),
)


LATER = """
with gone as (delete from results returning *)
insert into results
select monitor_id, scheduled_at - %(by)s, region, version, status, reason, message, latency_ms, dns_ms, connect_ms,
  tls_ms, first_byte_ms, transfer_ms, started_at, recorded_at - %(by)s, evidence
from gone
"""
TIMES = {
    "transitions": ("at", "confirmed_at"),
    "incidents": ("started_at", "confirmed_at", "ended_at"),
    "monitor_states": ("since", "last_slot", "streak_since"),
    "monitor_versions": ("valid_from", "valid_to"),
}


class Past:
    """A monitor whose history is made up: each thing happens now, and then all that happened is moved into the past."""

    def __init__(self, pool: Pool, monitor_id: int) -> None:
        self.pool, self.monitor_id = pool, monitor_id

    async def live(self, steps: list[str]) -> None:
        for step in steps:
            match step:
                case "gap":
                    await self._later(400)
                case "edit":
                    await self._change("options = options || jsonb_build_object('at', clock_timestamp())")
                case "threshold":
                    await self._change("failure_threshold = failure_threshold %% 3 + 1, interval_s = 121 - interval_s")
                case "pause" | "resume":
                    await self._change(f"enabled = {step == 'resume'}")
                case "resolve":
                    await fetch(self.pool, RESOLVE, self.monitor_id)
                case "late":
                    await self._see(Status.DOWN, late=True)
                case _:
                    for letter in step:
                        await self._see(LETTERS[letter])
                        await self._later(60)
            await self._later(1)

    async def _change(self, columns: str) -> None:
        await fetch(self.pool, f"update monitors set {columns} where id = %s returning 1", self.monitor_id)

    async def _see(self, status: Status, late: bool = False) -> None:
        """late: of the version before, whose check was under way."""
        rows = await fetch(self.pool, "select version from monitors where id = %s", self.monitor_id)
        version = rows[0][0] - late
        if version:
            slot, reason = datetime.now(UTC), "refused" if status is Status.DOWN else None
            await record(self.pool, [
                Result(self.monitor_id, slot, "local", version, status, slot, None, reason, reason)
            ])  # fmt: skip

    async def _later(self, seconds: float) -> None:
        by = {"by": timedelta(seconds=seconds)}
        async with self.pool.connection() as conn, conn.transaction():
            await conn.execute(LATER, by)
            for table, columns in TIMES.items():
                changes = ", ".join(f"{column} = {column} - %(by)s" for column in columns)
                await conn.execute(f"update {table} set {changes}", by)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(STEPS, max_size=14), st.integers(1, 3), st.integers(1, 3))
async def test_the_same_thresholds_make_the_same_history(
    pool: Pool, steps: list[str], failure_threshold: int, recovery_threshold: int
) -> None:
    monitor = await add_monitor(
        pool, None, failure_threshold=failure_threshold, recovery_threshold=recovery_threshold, interval_s=60
    )
    await Past(pool, monitor).live(steps)
    history = await played(pool, monitor)
    await fetch(pool, "delete from results returning 1")  # the next example need not move them
    columns = "at, confirmed_at, from_status::text, to_status::text"
    real = f"select {columns} from transitions where monitor_id = %s and from_status is not null order by id"
    made = [(t.at, t.confirmed_at, str(t.from_status), str(t.to_status)) for t in history.transitions]
    assert made == await fetch(pool, real, monitor)
    outages = "select started_at, confirmed_at, ended_at from incidents where monitor_id = %s order by id"
    assert [(o.started_at, o.confirmed_at, o.ended_at) for o in history.outages] == await fetch(pool, outages, monitor)


async def seen(pool: Pool, monitor: int, outcomes: str) -> None:
    for minute, letter in enumerate(outcomes):
        await record(pool, [result(monitor, 60 * minute, LETTERS[letter])])


async def test_other_thresholds_make_another_history(pool: Pool) -> None:
    shop = await add_monitor(pool, failure_threshold=1)
    await seen(pool, shop, "uduudduddddu")
    assert len((await played(pool, shop)).outages) == 3
    patient = await played(pool, shop, Thresholds(failure=3))
    ((began, ended),) = [(o.started_at, o.ended_at) for o in patient.outages]
    assert (began, ended) == (EPOCH + timedelta(minutes=7), EPOCH + timedelta(minutes=11))
    slow = await played(pool, shop, Thresholds(recovery=2))
    assert [o.ended_at for o in slow.outages] == [EPOCH + timedelta(minutes=2), None]


async def test_the_region_that_counted_first_counts_first(pool: Pool) -> None:
    """Results of one slot come from several regions; pages never cut a slot apart."""
    shop = await add_monitor(pool, failure_threshold=1, regions=["a", "b", "c"])
    for minute in range(10):
        for region in "cab" if minute % 2 else "bca":
            status = Status.DOWN if (minute + ord(region)) % 3 == 0 else Status.UP
            await record(pool, [result(shop, 60 * minute, status, region=region)])
    real = await fetch(pool, "select at, to_status::text from transitions where from_status is not null order by id")
    for most in (1, 2, 4, 100):
        history = await played(pool, shop, most=most)
        assert [(t.at, str(t.to_status)) for t in history.transitions] == real


def outage(began: float, ended: float | None = None) -> Outage:
    """Minutes after the epoch."""
    at = EPOCH + timedelta(minutes=began)
    return Outage(at, at, "refused", "", None if ended is None else EPOCH + timedelta(minutes=ended))


@pytest.mark.parametrize(
    ("rules", "outages", "told"),
    [
        ({}, [(0, 5)], ["down up"]),
        ({}, [(0, None)], ["down"]),
        ({"steps": ()}, [(0, 5)], [""]),
        ({"remind_every_s": 60}, [(0, 3.5)], ["down reminder reminder reminder up"]),
        (
            {"flap_outages": 3}, [(0, 1), (2, 3), (4, 5), (6, 7), (120, 121)],
            ["down up", "down up", "flapping", "", "down up"],
        ),
        ({"flap_outages": 0}, [(0, 1), (2, 3), (4, 5)], ["down up"] * 3),
    ],
)  # fmt: skip
def test_what_would_have_been_told(
    rules: dict[str, Any], outages: list[tuple[float, float | None]], told: list[str]
) -> None:
    made = [outage(*each) for each in outages]
    tell(made, AlertRules(**rules), {})
    assert [" ".join(each.told) for each in made] == told


def test_maintenance_tells_what_outlasts_it() -> None:
    short, long = outage(0, 5), outage(10, 30)
    until = EPOCH + timedelta(minutes=20)
    tell([short, long], AlertRules(remind_every_s=300), {short.confirmed_at: until, long.confirmed_at: until})
    assert (short.told, long.told) == ([], ["down", "reminder", "reminder", "up"])


def test_outages_are_compared_where_they_overlap() -> None:
    was = store.Incident(EPOCH, EPOCH, EPOCH + timedelta(minutes=5), "refused", "", "recovery", [])
    rows = compared([was], [outage(-9, -3), outage(3, 8), outage(20)])
    assert [(row.was is not None, row.would_be is not None) for row in rows] == [
        (False, True),
        (True, True),
        (False, True),
    ]


@pytest.mark.parametrize("words", ["yesterday", "2026-13-01", "5w", "99999d", ""])
def test_a_time_that_is_none(words: str) -> None:
    with pytest.raises(InvalidInput):
        _moment("--since", words, EPOCH if words != "99999d" else datetime(200, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("words", "moment"),
    [
        ("12h", EPOCH - timedelta(hours=12)),
        ("30d", EPOCH - timedelta(days=30)),
        ("2026-01-01", EPOCH),
        ("2026-01-01T01:00+01:00", EPOCH),
    ],
)
def test_a_time(words: str, moment: datetime) -> None:
    assert _moment("--since", words, EPOCH) == moment


async def pinguin(stack: Services, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error of the real thing."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PINGUIN_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinguin", "replay", *words, env=clean | {"PINGUIN_DATABASE_URL": stack.database_url},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await asyncio.wait_for(process.communicate(), 150)
    assert process.returncode is not None
    assert "Traceback" not in errors.decode()
    return process.returncode, output.decode(), errors.decode()


async def test_the_command(pool: Pool, stack: Services) -> None:
    shop = await add_monitor(pool, name="shop", failure_threshold=1, alerts=Jsonb({}))
    await add_monitor(pool, name="twin")
    await add_monitor(pool, name="twin")
    await seen(pool, shop, "uduudddu")
    span = ("--since", "2025-12-31", "--until", "2026-01-02")

    code, output, errors = await pinguin(stack, "shop", *span, "--failure-threshold", "2")
    assert (code, errors) == (0, "")
    assert "shop (1), 8 results, 2025-12-31 00:00 to 2026-01-02 00:00 UTC" in output
    assert "it was:          2 incidents, 0 alerts" in output
    assert "would have been: 1 incident, 2 alerts" in output
    marks = [line[0] for line in output.splitlines() if "refused" in line]
    assert marks == ["-", "="]

    code, output, _ = await pinguin(stack, str(shop), *span, "--json", "--recovery-threshold", "3")
    report = json.loads(output)
    assert (code, report["results"], len(report["incidents"])) == (0, 8, 2)
    assert report["incidents"][0]["would_be"]["ended_at"] is None
    assert report["incidents"][0]["was"]["closed_by"] == "recovery"

    for words, wrong in [
        (("bar",), "MONITOR: there is no monitor 'bar'"),
        (("twin",), "is the name of several; give a number: 2, 3"),
        (("shop", "--since", "soon"), "--since: 'soon' is not a time"),
        (("shop", "--since", "1h", "--until", "2h"), "--since: must be before --until"),
        (("shop", "--failure-threshold", "0"), "must be from 1 to 100"),
    ]:
        code, output, errors = await pinguin(stack, *words)
        assert (code, output) == (2, "")
        assert wrong in errors
    code, _, errors = await pinguin(stack, "shop", "--since", "1h")
    assert code == 3
    assert "shop has no results from" in errors
