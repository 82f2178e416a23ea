"""A provider that cannot read one message, and takes all others."""

from __future__ import annotations

from typing import Any

from pinguin.db import Pool
from tests.factory import add_monitor, fetch
from tests.receiver import Answer, Receiver
from tests.worker.senders import fails, senders, until


async def test_a_message_that_is_not_understood_holds_up_no_other(pool: Pool, provider: Receiver) -> None:
    first, second = [await add_monitor(pool, name=name, failure_threshold=1) for name in ("shop", "mail")]

    async def behave(message: dict[str, Any]) -> Answer:
        return (400, {}) if message["items"][0]["monitor"] == "shop" else (200, {})

    provider.behave = behave
    async with senders(pool):
        await fails(pool, first)
        await until(pool, "select count(*) = 1 from messages where status = 'failed'")
        await fails(pool, second)
        await until(pool, "select bool_or(status = 'sent') from notifications where kind = 'down'")
    told = [message["items"][0]["monitor"] for message in provider.came if message["items"][0]["kind"] == "down"]
    assert told == ["shop", "mail"]
    assert await fetch(pool, "select broken_at from channels") == [(None,)]
    rows = "select m.name, n.status, n.held from notifications n join monitors m on m.id = n.monitor_id order by n.id"
    assert await fetch(pool, rows) == [("shop", "failed", "refused"), ("mail", "sent", None)]
