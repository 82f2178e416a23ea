"""`pinguin doctor`: what is missing or wrong, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from pinguin import sealing
from pinguin.broker import Broker
from pinguin.checks.ping import icmp_permission
from pinguin.db import connection, make_pool, pending_migrations, why_unreachable
from pinguin.embedded.attach import attached
from pinguin.errors import PinguinError, Unavailable
from pinguin.secrets import NO_KEY, WRONG_KEY, Keys
from pinguin.settings import Settings
from pinguin.store import health

CLOCK_TOLERANCE_S = 1.0

APACHE = (
    "TimescaleDB is the Apache edition, which has no continuous aggregates and no columnstore: "
    "install the community edition, and set timescaledb.license = 'timescale'"
)

Finding = tuple[bool, str]
"""Whether all is well, and a sentence."""


async def doctor(settings: Settings) -> int:
    """Print one line a finding; 1 where something is wrong."""
    settings = attached(settings)
    examinations: list[Callable[[Settings], Awaitable[list[Finding]]]] = [_python, _database, _redis, _key, _icmp]
    well = True
    for examine in examinations:
        try:
            findings = await examine(settings)
        except Unavailable as error:
            findings = [(False, _mend(str(error), "PINGUIN_REDIS_URL"))]
        except PinguinError as error:
            findings = [(False, str(error))]
        for fine, sentence in findings:
            print(("  ok  " if fine else "WRONG ") + sentence)
            well = well and fine
    print("\nAll is well." if well else "\nSomething is wrong; see above for what to do.")
    return 0 if well else 1


async def _python(_: Settings) -> list[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    return [(sys.version_info >= (3, 11), f"Python {version} (3.11 or newer is needed)")]


async def _database(settings: Settings) -> list[Finding]:
    if refusal := await why_unreachable(settings.database_url):
        return [(False, _mend(f"the database does not answer: {refusal}", "PINGUIN_DATABASE_URL"))]
    async with make_pool(settings.database_url, 1, timeout_s=5) as pool:
        async with connection(pool) as conn:
            found = await health.database(conn)
        findings = [
            (True, f"database answers: PostgreSQL {found.version}, TimescaleDB {found.timescaledb or 'missing'}")
        ]
        if found.timescaledb is None:
            return [*findings, (False, "TimescaleDB is missing: install it, or use the image timescale/timescaledb")]
        findings.append((True, "TimescaleDB's community edition") if found.community else (False, APACHE))
        behind = ", ".join(await pending_migrations(pool))
        findings.append(
            (not behind, f"run `pinguin migrate`: {behind} missing" if behind else "migrations are complete")
        )
        findings.append(_clock("database", found.now))
        return findings


async def _redis(settings: Settings) -> list[Finding]:
    async with Broker.connect(settings.redis_url) as broker:
        server = await broker.server()
        leader = await broker.leader()
        product = f"{server.get('server_name', 'redis')} {server.get('valkey_version', server['redis_version'])}"
        return [
            (True, f"Redis answers: {product}"),
            _clock("Redis", await broker.now()),
            (leader is not None, f"leader: {leader}" if leader else "no scheduler leads: start `pinguin scheduler`"),
        ]


async def _key(settings: Settings) -> list[Finding]:
    keys = Keys.of(settings)
    if not keys:
        return [(False, f"a password of a monitor or channel {NO_KEY}")]
    if await why_unreachable(settings.database_url):  # which is said above
        return [(True, "stored secrets have a key")]
    async with make_pool(settings.database_url, 1, timeout_s=5) as pool:
        if await pending_migrations(pool):
            return [(True, "stored secrets have a key")]
        async with connection(pool) as conn:
            found = await sealing.count(conn, keys)
    opens = (not found.broken, f"{found.broken} of them: {WRONG_KEY}" if found.broken else "stored secrets open")
    plain = (False, f"{found.plain} stored secrets are not sealed yet: run `pinguin migrate`")
    return [opens, plain] if found.plain else [opens]


async def _icmp(_: Settings) -> list[Finding]:
    refusal = icmp_permission()
    return [(refusal is None, refusal or "ping is allowed")]


def _mend(complaint: str, setting: str) -> str:
    return f"{complaint.rstrip('.?')}. Start it (`make up` starts everything), or set {setting} to where it runs"


def _clock(name: str, theirs: datetime) -> Finding:
    ahead = (theirs - datetime.now(UTC)).total_seconds()
    fine = abs(ahead) <= CLOCK_TOLERANCE_S
    sentence = f"{name}'s clock differs from this machine's by {ahead:+.3f} s"
    return fine, sentence if fine else f"{sentence}: let NTP set both"
