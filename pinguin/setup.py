"""What is done once before the processes start: migrations, policies, seals."""

from __future__ import annotations

from datetime import timedelta

from pinguin import db, sealing
from pinguin.db import connection, make_pool
from pinguin.embedded.attach import attached
from pinguin.secrets import Keys
from pinguin.settings import Settings
from pinguin.store import upkeep


async def prepare_database(settings: Settings) -> list[str]:
    """Bring the database to the newest version and its policies to the settings; what was done, line by line."""
    done = [f"migrated to {name}" for name in await db.migrate(settings.database_url)]
    async with make_pool(settings.database_url, 1) as pool, connection(pool) as conn:
        changed = await upkeep.apply_policies(
            conn,
            raw=timedelta(days=settings.raw_retention_days),
            rollups=timedelta(days=settings.rollup_retention_days),
            columnstore=timedelta(days=settings.columnstore_after_days),
        )
        changed += await sealing.seal_all(conn, Keys.of(settings))
    return done + changed


async def migrate(settings: Settings) -> None:
    """The same for the database of the settings, or the embedded one that runs; prints what was done."""
    lines = await prepare_database(attached(settings))
    print("\n".join(lines) or "Nothing to do: the database is at the newest version.")
