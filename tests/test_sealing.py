"""What stands in the database in plain, or under an old key, is sealed at the start: and nothing of it is an edit."""

from __future__ import annotations

from typing import Any

import pytest

from pinguin import sealing, setup
from pinguin.checks import check_type
from pinguin.db import Pool, connection
from pinguin.doctor import doctor
from pinguin.people import Role
from pinguin.secrets import Keys, is_sealed, monitor_place
from pinguin.settings import Settings
from pinguin.store import accounts
from pinguin.store import sealing as stored
from tests.conftest import Services
from tests.factory import add_monitor, fetch
from tests.store.telling import add_channel

FIRST, SECOND = "the first key of these tests", "another key, made up later"
HTTP = {
    "url": "http://127.0.0.1:9/", "username": "ada", "password": "canary-password",
    "headers": {"X-Key": "canary-header", "X-Other": ""}, "cookies": {}, "client_key": "",
}  # fmt: skip


def opened(options: dict[str, Any], key: str = FIRST) -> dict[str, Any]:
    return Keys(key).unseal_fields(options, check_type("http").options, monitor_place("http"))


async def seal(pool: Pool, *keys: str) -> list[str]:
    async with connection(pool) as conn:
        return await sealing.seal_all(conn, Keys(*keys))


async def everything(pool: Pool) -> str:
    rows = await fetch(
        pool, "select options::text from monitors union all select options::text from monitor_versions "
        "union all select options::text from channels"
    )  # fmt: skip
    return repr(rows)


@pytest.fixture
async def shop(pool: Pool) -> int:
    """A monitor of before, with two versions, that has failed once; a deleted one; a channel."""
    made = await add_monitor(pool, type="http", options=HTTP)
    await fetch(pool, "update monitors set interval_s = 30 where id = %s returning 1", made)
    await fetch(
        pool, "update monitor_states set failures = 1, last_slot = now() where monitor_id = %s returning 1", made
    )
    gone = await add_monitor(pool, type="http", options=HTTP, name="gone")
    await fetch(pool, "update monitors set archived_at = now() where id = %s returning 1", gone)
    await add_channel(pool, kind="webhook", options={"url": "http://127.0.0.1:9/canary-hook"})
    return made


async def test_everything_is_sealed_once(pool: Pool, shop: int) -> None:
    assert await seal(pool, FIRST) == [
        "sealed the secrets of 2 monitors",
        "sealed the secrets of 4 versions of monitors",
        "sealed the secrets of 1 channels",
    ]
    assert "canary" not in await everything(pool)
    [(options,)] = await fetch(pool, "select options from monitors where id = %s", shop)
    assert is_sealed(options["password"])
    assert is_sealed(options["headers"]["X-Key"])
    assert opened(options) == HTTP
    for (version,) in await fetch(pool, "select options from monitor_versions where monitor_id = %s", shop):
        assert opened(version) == HTTP
    before = await everything(pool)
    assert await seal(pool, FIRST) == []
    assert await everything(pool) == before


async def test_it_is_no_edit(pool: Pool, shop: int) -> None:
    look = (
        "select m.version, m.updated_at, s.version, s.failures, s.last_slot, c.updated_at, c.next_at::text, "
        "(select count(*) from monitor_versions), (select count(*) from transitions) "
        "from monitors m join monitor_states s on s.monitor_id = m.id cross join channels c where m.id = %s"
    )
    before = await fetch(pool, look, shop)
    await seal(pool, FIRST)
    assert await fetch(pool, look, shop) == before
    await fetch(pool, "update monitors set interval_s = 90 where id = %s returning 1", shop)
    assert await fetch(pool, "select version from monitors where id = %s", shop) == [(3,)]  # edits still count


async def test_after_a_change_of_the_key_the_old_one_is_not_needed_any_more(pool: Pool, shop: int) -> None:
    await seal(pool, FIRST)
    assert len(await seal(pool, SECOND, FIRST)) == 3
    [(options,)] = await fetch(pool, "select options from monitors where id = %s", shop)
    assert opened(options, SECOND) == HTTP
    assert await seal(pool, SECOND) == []


async def test_a_second_factor_gets_the_new_key_too(pool: Pool) -> None:
    async with connection(pool) as conn:
        user = await accounts.create_invited(conn, "ada", Role.OWNER)
        assert user
        place = f"users.{user}.totp_secret"
        await accounts.set_totp(conn, user, Keys(FIRST).seal("JBSWY3DPEHPK3PXP", place), 7)
    assert await seal(pool, SECOND, FIRST) == ["sealed the secrets of 1 second factors"]
    [(secret, step)] = await fetch(pool, "select totp_secret, totp_step from users")
    assert (Keys(SECOND).unseal(secret, place), step) == ("JBSWY3DPEHPK3PXP", 7)


async def test_without_the_old_key_nothing_is_lost(pool: Pool, shop: int) -> None:
    await seal(pool, FIRST)
    before = await everything(pool)
    assert await seal(pool, SECOND) == []
    assert await seal(pool) == []
    assert await everything(pool) == before


async def test_more_than_one_part(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        await (add_monitor(pool, type="http", options=HTTP) if number % 3 else add_monitor(pool))
    monkeypatch.setattr(stored.part, "__defaults__", (2,))
    assert (await seal(pool, FIRST))[:2] == [
        "sealed the secrets of 4 monitors",
        "sealed the secrets of 4 versions of monitors",
    ]
    assert "canary" not in await everything(pool)


async def test_the_start_does_it_and_doctor_says_how_it_is(
    pool: Pool, shop: int, stack: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(database_url=stack.database_url, redis_url=stack.redis_url, secret_key=FIRST)
    await doctor(settings)
    assert "13 stored secrets are not sealed yet" in capsys.readouterr().out
    assert "sealed the secrets of 2 monitors" in await setup.prepare_database(settings)
    assert not [line for line in await setup.prepare_database(settings) if "sealed" in line]
    await doctor(settings)
    assert "ok  stored secrets open" in capsys.readouterr().out
    await doctor(Settings(database_url=stack.database_url, redis_url=stack.redis_url, secret_key=SECOND))
    assert "a stored secret does not open with this key" in capsys.readouterr().out
