"""sql/queries/alert_chores.sql: what the leader does about alerts."""

from __future__ import annotations

from datetime import timedelta

from pinguin.db import Connection, queries

_sql = queries("alert_chores")


async def tell_expiries(conn: Connection) -> int:
    """Write a notification of each certificate and registration that has come to one of its days; how many are new."""
    return (await conn.execute(_sql["tell_expiries"])).rowcount


async def keep_slow_spells(conn: Connection) -> tuple[int, int]:
    """Begin and end the times in which a monitor's percentile is above its limit: (begun, ended)."""
    row = await (await conn.execute(_sql["keep_slow_spells"])).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


async def settle_channels(conn: Connection) -> int:
    """End the troubles of channels that are none any more; how many."""
    return (await conn.execute(_sql["settle_channels"])).rowcount


async def give_up(conn: Connection, most: int) -> int:
    """At most so many notifications that waited a day for a channel that is off or broken have failed."""
    return (await conn.execute(_sql["give_up"], {"most": most})).rowcount


async def forget(conn: Connection, after: timedelta, most: int) -> int:
    """Delete notifications, messages with their attempts, and incidents' events of that age: at most so many of each.

    The largest of the three numbers.
    """
    given = {"after": after, "most": most}
    gone = [
        (await conn.execute(_sql[f"forget_{what}"], given)).rowcount for what in ("notifications", "messages", "events")
    ]
    return max(gone)
