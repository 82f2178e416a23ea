from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pinguin.db import Pool, connection
from pinguin.errors import Conflict, InvalidInput, NotFound
from pinguin.store import channels, messages
from pinguin.store.channels import Chooser
from tests.factory import add_monitor, fetch
from tests.store.telling import DRAFT, add_channel, broken, outage, set_rules


async def test_a_channel_is_written_and_read_as_it_was(pool: Pool) -> None:
    quiet: dict[str, Any] = {"quiet_from": "22:00", "quiet_to": "07:00", "quiet_zone": "Europe/Berlin"}
    quiet["quiet_days"] = [1, 2]
    channel = await add_channel(pool, **quiet, subject_template="{{ subject }}")
    async with connection(pool) as conn:
        found = await channels.get(conn, channel)
        assert [found] == await channels.listed(conn)
    written = replace(DRAFT, **quiet, subject_template="{{ subject }}")
    assert {name: getattr(found, name) for name in DRAFT.__dataclass_fields__} == {
        name: getattr(written, name) for name in DRAFT.__dataclass_fields__
    }
    assert (found.enabled, found.waiting, found.last_status) == (True, 0, None)


async def test_an_edit_of_what_is_not_the_newest_is_a_conflict(pool: Pool) -> None:
    channel = await add_channel(pool)
    async with connection(pool) as conn:
        first = (await channels.get(conn, channel)).updated_at
        await channels.update(conn, channel, first, replace(DRAFT, name="theirs"))
        with pytest.raises(Conflict):
            await channels.update(conn, channel, first, replace(DRAFT, name="mine"))
        assert (await channels.get(conn, channel)).name == "theirs"
        with pytest.raises(NotFound):
            await channels.update(conn, 99, first, DRAFT)


async def test_what_a_sender_notes_is_no_conflict(pool: Pool) -> None:
    channel = await add_channel(pool)
    async with connection(pool) as conn:
        seen = await channels.get(conn, channel)
        await conn.execute("update channels set failures = 3, failing_since = now(), tokens = 1, next_at = now()")
        await channels.update(conn, channel, seen.updated_at, replace(DRAFT, name="new"))


async def test_a_name_is_taken_until_its_channel_is_deleted(pool: Pool) -> None:
    channel = await add_channel(pool)
    with pytest.raises(InvalidInput, match="another channel"):
        await add_channel(pool, name="OPS")
    async with connection(pool) as conn:
        await channels.archive(conn, channel)
        with pytest.raises(NotFound):
            await channels.get(conn, channel)
        with pytest.raises(NotFound):
            await channels.archive(conn, channel)
    await add_channel(pool, name="OPS")


async def test_a_zone_that_the_database_lacks_is_refused(pool: Pool) -> None:
    """At the time of an alert it would be too late."""
    with pytest.raises(InvalidInput, match="Atlantis/Poseidonis"):
        await add_channel(pool, quiet_from="22:00", quiet_to="07:00", quiet_zone="Atlantis/Poseidonis")
    assert await fetch(pool, "select 1 from channels") == []


async def test_a_broken_channel_is_tried_again_when_it_is_edited_or_asked_for(pool: Pool) -> None:
    channel = await add_channel(pool)
    async with connection(pool) as conn:
        await broken(pool, channel)
        await channels.retry(conn, channel)
        assert (await channels.get(conn, channel)).broken_at is None
        await broken(pool, channel)
        seen = await channels.get(conn, channel)
        await channels.update(conn, channel, seen.updated_at, replace(DRAFT, name="only the name"))
        assert (await channels.get(conn, channel)).broken_at is not None
        seen = await channels.get(conn, channel)
        await channels.update(conn, channel, seen.updated_at, replace(DRAFT, options={"url": "other"}))
        assert (await channels.get(conn, channel)).broken_at is None
        with pytest.raises(NotFound):
            await channels.retry(conn, 99)


async def test_what_waits_for_another_try_is_tried_at_once_when_asked_for(pool: Pool) -> None:
    channel = await add_channel(pool)
    await fetch(
        pool,
        """insert into messages (channel_id, status, due_at) values (%s, 'retry', now() + interval '10 min')
        returning 1""",
        channel,
    )
    async with connection(pool) as conn:
        await channels.retry(conn, channel)
    assert await fetch(pool, "select due_at <= now() from messages") == [(True,)]


async def test_a_channel_that_is_switched_off_gives_up_what_waits(pool: Pool) -> None:
    channel = await add_channel(pool)
    await outage(pool, await add_monitor(pool))
    async with connection(pool) as conn:
        assert (await channels.get(conn, channel)).waiting == 1
        await channels.enable(conn, channel, False)
        assert (await channels.get(conn, channel)).waiting == 0
        assert not await channels.any_on(conn)
        await channels.enable(conn, channel, True)
        assert await channels.any_on(conn)
    assert await fetch(pool, "select status, held from notifications") == [("cancelled", "channel off")]


async def test_a_deletion_knows_who_chose_the_channel(pool: Pool) -> None:
    ops, night = await add_channel(pool), await add_channel(pool, name="night", is_default=False)
    async with connection(pool) as conn:
        group = await channels.create_group(conn, "both", [ops, night])
    for name, steps in (
        ("by default", None), ("alone", [{"channels": [night]}]), ("both", [{"channels": [night, ops]}]),
        ("group", [{"groups": [group]}]), ("later", [{"channels": [ops]}, {"after_s": 60, "channels": [night]}]),
        ("other", [{"channels": [ops]}]),
    ):  # fmt: skip
        monitor = await add_monitor(pool, name=name)
        if steps is not None:
            await set_rules(pool, monitor, {"steps": steps})
    async with connection(pool) as conn:
        chosen = await channels.chosen_by(conn, night)
        assert [(each.name, each.alone) for each in chosen] == [
            ("alone", True), ("both", False), ("group", False), ("later", False),
        ]  # fmt: skip
        assert isinstance(chosen[0], Chooser)
        await channels.archive(conn, night)
        assert [each.channel_ids for each in await channels.groups(conn)] == [[ops]]
        assert [each.channel for each in await channels.told(conn, chosen[2].id)] == ["ops"]
        assert await channels.told(conn, chosen[0].id) == []


async def test_a_group_is_edited_from_its_newest_state_alone(pool: Pool) -> None:
    ops = await add_channel(pool)
    async with connection(pool) as conn:
        await channels.create_group(conn, "all", [])
        with pytest.raises(InvalidInput, match="another group"):
            await channels.create_group(conn, "ALL", [ops])
        [group] = await channels.groups(conn)
        await channels.update_group(conn, group.id, group.mark, "everybody", [ops])
        with pytest.raises(Conflict):
            await channels.update_group(conn, group.id, group.mark, "nobody", [])
        [group] = await channels.groups(conn)
        assert (group.name, group.channel_ids) == ("everybody", [ops])
        await channels.delete_group(conn, group.id)
        assert await channels.groups(conn) == []


async def test_the_log_has_messages_items_attempts_and_what_waits(pool: Pool) -> None:
    channel = await add_channel(pool)
    shop, mail = await add_monitor(pool, name="shop"), await add_monitor(pool, name="mail")
    await outage(pool, shop)
    await outage(pool, mail)
    async with connection(pool) as conn:
        assert [(each.monitor, each.kind, each.due) for each in await messages.waiting(conn, channel)] == [
            ("shop", "down", True), ("mail", "down", True),
        ]  # fmt: skip
        await conn.execute("update notifications set due_at = due_at - interval '5 s'")
        made = await (await conn.execute("select gather_message('me', '10 s')")).fetchone()
        assert made is not None
        await conn.execute("select mark_failed(%s, 'me', '503 busy', 12.5, false, '0 s', 'two are down')", made)
        await conn.execute("select reclaim_message('me', '10 s')")
        await conn.execute("select mark_delivered(%s, 'me', '200 ok', 8, 'two are down')", made)
        [message] = await messages.page(conn, channel)
        assert (message.status, message.attempts, message.items, message.subject) == ("sent", 2, 2, "two are down")
        assert [(each.monitor, each.kind) for each in message.listed] == [("shop", "down"), ("mail", "down")]
        assert [(each.outcome, each.answer) for each in message.tries] == [
            ("failed", "503 busy"), ("delivered", "200 ok"),
        ]  # fmt: skip
        assert await messages.page(conn, None, before=(message.created_at, message.id)) == []
        assert await messages.waiting(conn, None) == []
        assert [(each.status, each.answer) for each in await messages.notified(conn, shop)] == [("sent", "200 ok")]
        found = await channels.get(conn, channel)
        assert (found.last_status, found.last_answer, found.waiting) == ("sent", "200 ok", 0)
