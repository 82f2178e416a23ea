"""Whatever happens, in whatever order: no outage is lost, none is told twice, no recovery of what nobody heard of."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.alerts_sql.outbox import Outbox
from tests.factory import fetch

ACTIONS = st.one_of(
    st.tuples(st.just("seen"), st.integers(0, 2), st.sampled_from("uudddgn")),
    st.tuples(st.just("later"), st.sampled_from([1, 20, 70, 400, 1300])),
    st.tuples(
        st.sampled_from(["claim", "claim", "claim", "deliver", "deliver", "fail", "lose", "kill", "refuse", "mend"])
    ),
    st.tuples(st.sampled_from(["acknowledge", "snooze", "pause", "resume", "maintain"]), st.integers(0, 2)),
)
REASONS = {"over", "acknowledged", "flapping", "told"}


class Play:
    """Three monitors, the second of which depends on the first, and a channel that is told twice and reminds."""

    def __init__(self, outbox: Outbox, monitors: list[int], channel: int) -> None:
        self.outbox, self.monitors, self.channel = outbox, monitors, channel
        self.claims: dict[str, int] = {}
        self.senders = 0

    @classmethod
    async def begin(cls, outbox: Outbox, flap_outages: int, failure_threshold: int) -> Play:
        channel = await outbox.channel(default=False)
        rules = {
            "steps": [{"channels": [channel]}, {"after_s": 300, "channels": [channel]}], "remind_every_s": 600,
            "on_unknown": True, "flap_outages": flap_outages, "flap_window_s": 1200,
        }  # fmt: skip
        monitors = [await outbox.monitor(f"m{n}", rules, failure_threshold=failure_threshold) for n in range(3)]
        await outbox.depends(monitors[1], monitors[0])
        return cls(outbox, monitors, channel)

    async def do(self, action: tuple[Any, ...]) -> None:
        name, *values = action
        await getattr(self, name)(*values)

    async def seen(self, which: int, letter: str) -> None:
        await self.outbox.seen(self.monitors[which], letter, every_s=1)

    async def later(self, seconds: int) -> None:
        await self.outbox.later(seconds)

    async def claim(self) -> None:
        await self.outbox.later(5)
        self.senders += 1
        sender = f"sender{self.senders}"
        message = await self.outbox.reclaim(sender) or await self.outbox.gather(sender)
        if message:
            self.claims[sender] = message

    async def deliver(self) -> None:
        await self._mark(self.outbox.delivered)

    async def fail(self) -> None:
        await self._mark(self.outbox.failed)

    async def lose(self) -> None:
        await self._mark(lambda message, sender: self.outbox.failed(message, sender, unsure=True))

    async def refuse(self) -> None:
        await self._mark(self.outbox.refused)

    async def _mark(self, mark: Any) -> None:
        """The oldest claim that somebody still believes to have."""
        for sender, message in list(self.claims.items())[:1]:
            del self.claims[sender]
            await mark(message, sender)

    async def kill(self) -> None:
        """Whoever sends now never comes back."""
        self.claims.clear()

    async def mend(self) -> None:
        changed = (
            """update channels set options = options || '{"n": 1}' || jsonb_build_object('at', clock_timestamp())"""
        )
        await self.outbox.run(changed + " where id = %s", self.channel)

    async def acknowledge(self, which: int) -> None:
        await self._incident("acknowledged_at = now()", which)

    async def snooze(self, which: int) -> None:
        await self._incident("snoozed_until = now() + interval '10 minutes'", which)

    async def _incident(self, change: str, which: int) -> None:
        statement = f"update incidents set {change} where ended_at is null and monitor_id = %s"
        await self.outbox.run(statement, self.monitors[which])

    async def pause(self, which: int) -> None:
        await self.outbox.run("update monitors set enabled = false where id = %s and enabled", self.monitors[which])

    async def resume(self, which: int) -> None:
        await self.outbox.run("update monitors set enabled = true where id = %s and not enabled", self.monitors[which])

    async def maintain(self, which: int) -> None:
        await self.outbox.maintenance(self.monitors[which], seconds=300, starts_in_s=-1)

    async def settle(self) -> None:
        """Everything is well again, and senders live."""
        await self.mend()
        for which in range(3):
            await self.resume(which)
        await self.outbox.later(60)
        await self.outbox.seen(self.monitors, "uu")
        for _ in range(8):
            await self.outbox.later(400)
            while message := await self.outbox.reclaim() or await self.outbox.gather():
                assert await self.outbox.delivered(message)
                await self.outbox.later(7)

    async def end(self) -> None:
        await self.outbox.run("update channels set archived_at = now() where id = %s", self.channel)
        await self.outbox.run("update monitors set archived_at = now() where id = any(%s)", self.monitors)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(ACTIONS, min_size=5, max_size=40), st.sampled_from([0, 3]), st.integers(1, 2))
async def test_nothing_is_lost_or_told_twice(
    outbox: Outbox, actions: list[tuple[Any, ...]], flap_outages: int, failure_threshold: int
) -> None:
    play = await Play.begin(outbox, flap_outages, failure_threshold)
    try:
        for action in actions:
            await play.do(action)
        await play.settle()
        await check(play, {action[0] for action in actions})
    finally:
        await play.end()


async def check(play: Play, happened: set[str]) -> None:
    rows = await fetch(
        play.outbox.pool,
        """
        select n.id, n.key, n.kind, n.status, n.held, n.step, n.told_at, n.answers, i.id, i.closed_by,
          (select count(*) from attempts a where a.message_id = n.message_id and a.outcome = 'delivered')
        from notifications n left join incidents i on i.id = n.incident_id
        where n.channel_id = %s
        """,
        play.channel,
    )
    by_id = {row[0]: row for row in rows}
    assert [row for row in rows if row[3] not in ("sent", "cancelled")] == [], "nothing waits for ever"
    for _, key, kind, status, held, step, told_at, answers, _, closed_by, deliveries in rows:
        if status == "sent":
            assert deliveries == 1, key
        if answers is not None and status == "sent":
            begun = by_id[answers]
            assert begun[3] == "sent", f"{key}: {begun}"
            assert begun[6] <= told_at, f"{key} before {begun}"
        if kind == "down" and step == 0 and status == "cancelled":
            assert held in REASONS, (key, held)
            excused = happened & {"maintain", "snooze"} or key.split(":")[1] in await dependents(play)
            assert held != "over" or closed_by == "pause" or excused, (key, held)
            assert held != "acknowledged" or "acknowledge" in happened
    await check_ends(play, rows)


async def dependents(play: Play) -> set[str]:
    """Incidents of the monitor that depends on another."""
    rows = await fetch(play.outbox.pool, "select id::text from incidents where monitor_id = %s", play.monitors[1])
    return {row[0] for row in rows}


async def check_ends(play: Play, rows: list[tuple[Any, ...]]) -> None:
    """Who was told of an outage that is over heard of its end, unless it was one of many."""
    outages = await fetch(
        play.outbox.pool,
        "select id from incidents where monitor_id = any(%s) and closed_by in ('recovery', 'hand')",
        play.monitors,
    )
    for (incident,) in outages:
        mine = [row for row in rows if row[8] == incident]
        told = [row for row in mine if row[2] == "down" and row[3] == "sent"]
        ends = [row for row in mine if row[2] == "up"]
        if told:
            assert len(ends) == 1, mine
            assert ends[0][3] == "sent" or ends[0][4] == "flapping", ends
        elif not [row for row in mine if row[2] == "flapping"]:
            assert [row for row in ends if row[3] == "sent"] == [], mine
