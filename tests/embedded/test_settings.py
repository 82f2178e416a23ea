"""What belongs to one client stays with it: settings, channels, statements."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from pinguin.embedded.stack import EmbeddedStack
from tests.embedded.clients import Conn, bare, connect, message, value


async def test_set_is_for_one_client(conn: Conn, other: Conn) -> None:
    await conn.execute("set timezone = 'Europe/Rome'")
    await conn.execute("set work_mem = '8MB'")
    for _ in range(2):
        assert await value(conn, "show timezone") == "Europe/Rome"
        assert await value(other, "show timezone") == "UTC"
        assert await value(other, "show work_mem") == "4MB"
        assert await value(conn, "show work_mem") == "8MB"


async def test_set_through_the_extended_protocol(conn: Conn, other: Conn) -> None:
    async with conn.pipeline():
        await conn.execute("set timezone to 'Europe/Rome'")
    assert await value(other, "show timezone") == "UTC"
    assert await value(conn, "show timezone") == "Europe/Rome"


async def test_options_of_the_connection(embedded: EmbeddedStack, other: Conn) -> None:
    options = r"-c timezone=Asia/Tokyo -c search_path=pg_catalog,\ public"
    async with await connect(embedded.database_url, options=options) as conn:
        assert await value(other, "show timezone") == "UTC"
        assert await value(conn, "show timezone") == "Asia/Tokyo"
        assert await value(conn, "show search_path") == "pg_catalog, public"
        assert conn.info.parameter_status("TimeZone") == "Asia/Tokyo"


async def test_the_client_is_told_of_its_settings(conn: Conn, other: Conn) -> None:
    """psycopg gives times in the zone that the server named."""
    await conn.execute("set timezone = 'Europe/Rome'")
    assert str((await value(conn, "select now()")).tzinfo) == "Europe/Rome"
    assert str((await value(other, "select now()")).tzinfo) == "UTC"
    async with conn.transaction(force_rollback=True):
        await conn.execute("set timezone = 'Asia/Tokyo'")
        assert conn.info.parameter_status("TimeZone") == "Asia/Tokyo"
    assert conn.info.parameter_status("TimeZone") == "Europe/Rome"
    await conn.execute("reset timezone")
    assert conn.info.parameter_status("TimeZone") == "UTC"


async def test_a_set_that_was_rolled_back_is_not_replayed(conn: Conn, other: Conn) -> None:
    async with conn.transaction(force_rollback=True):
        await conn.execute("set timezone = 'Europe/Rome'")
    await value(other, "select 1")
    await other.execute("set timezone = 'Asia/Tokyo'")
    assert await value(conn, "show timezone") == "UTC"


async def test_set_local_ends_with_its_transaction(conn: Conn, other: Conn) -> None:
    async with conn.transaction():
        await conn.execute("set local timezone = 'Europe/Rome'")
        assert await value(conn, "show timezone") == "Europe/Rome"
    await value(other, "select 1")
    assert await value(conn, "show timezone") == "UTC"


async def test_what_follows_a_set_in_one_query_runs_once(conn: Conn, other: Conn) -> None:
    await conn.execute("set timezone = 'Europe/Rome'; insert into readings values (now(), 1)")
    assert await value(other, "show timezone") == "UTC"
    assert await value(conn, "select count(*) from readings") == 1


async def test_set_config_does_not_reach_others(conn: Conn, other: Conn) -> None:
    await conn.execute("select set_config('timezone', 'Europe/Rome', false)")
    assert await value(other, "show timezone") == "UTC"


@pytest.mark.parametrize("reset", ["reset timezone", "reset time zone", "reset all", "discard all", "RESET TimeZone;"])
async def test_reset_goes_back_to_our_settings(conn: Conn, other: Conn, reset: str) -> None:
    """Not to those of the build: no sequential scans, and GMT."""
    await conn.execute("set timezone = 'Europe/Rome'")
    await conn.execute(reset.encode())
    assert await value(conn, "show timezone") == "UTC"
    await value(other, "select 1")
    assert await value(conn, "show timezone") == "UTC"
    assert await value(conn, "show enable_seqscan") == "on"


async def test_a_role_does_not_reach_others_or_the_checkpoint(conn: Conn, other: Conn) -> None:
    await conn.execute("drop role if exists nobody")
    await conn.execute("create role nobody")
    await conn.execute("set role nobody")
    assert await value(other, "select current_user::text") == "postgres"
    assert await value(conn, "select current_user::text") == "nobody"
    await conn.execute("reset role")


async def test_settings_end_with_the_connection(embedded: EmbeddedStack, conn: Conn) -> None:
    async with await connect(embedded.database_url) as short:
        await short.execute("set work_mem = '9MB'")
    assert await value(conn, "show work_mem") == "4MB"


async def test_notifications_go_to_those_who_listen(embedded: EmbeddedStack, conn: Conn, other: Conn) -> None:
    async with await connect(embedded.database_url) as deaf:
        await conn.execute("listen ev")
        await deaf.execute("listen ev")
        await deaf.execute("unlisten ev")
        await other.execute("notify ev, 'hello'")
        heard = [notice.payload async for notice in conn.notifies(timeout=5, stop_after=1)]
        missed = [notice.payload async for notice in deaf.notifies(timeout=0.2)]
    assert (heard, missed) == (["hello"], [])


async def test_no_notification_of_what_was_rolled_back(conn: Conn, other: Conn) -> None:
    await conn.execute('listen "Ev 2"')
    async with other.transaction(force_rollback=True):
        await other.execute("notify \"Ev 2\", 'lost'")
    await other.execute("select pg_notify('Ev 2', 'kept')")
    assert [notice.payload async for notice in conn.notifies(timeout=5, stop_after=1)] == ["kept"]


async def test_deallocate_all_is_for_one_client(embedded: EmbeddedStack) -> None:
    """psycopg sends it after a ROLLBACK, in a pipeline as a prepared statement of its own."""
    parse = message(b"P", b"s\0select 11\0\0\0")
    run = message(b"B", b"\0s\0\0\0\0\0\0\0") + message(b"E", b"\0\0\0\0\0") + message(b"S")
    everything = message(b"P", b"\0deallocate all\0\0\0") + message(b"B", b"\0\0\0\0\0\0\0\0")
    async with bare(embedded.database.socket) as one, bare(embedded.database.socket) as two:
        for client in (one, two):
            await client.send(parse + message(b"S"))
            await client.answer(message(b"Z", b"I"))
        await one.send(everything + message(b"E", b"\0\0\0\0\0") + message(b"S"))
        await one.answer(message(b"Z", b"I"))
        await one.send(run)
        assert b"does not exist" in await one.answer(message(b"Z", b"I"))
        await two.send(run)
        assert b"11" in await two.answer(message(b"Z", b"I"))


async def test_deallocate_by_name(embedded: EmbeddedStack) -> None:
    async with bare(embedded.database.socket) as client:
        await client.send(message(b"P", b"s\0select 11\0\0\0") + message(b"S"))
        await client.answer(message(b"Z", b"I"))
        for answer in (b"DEALLOCATE", b"does not exist"):
            await client.send(message(b"Q", b"deallocate s\0"))
            assert answer in await client.answer(message(b"Z", b"I"))


async def test_a_client_leaves_no_statements_behind(embedded: EmbeddedStack, conn: Conn) -> None:
    async with await connect(embedded.database_url, prepare_threshold=0) as short:
        await short.execute("select 1, %s::int", (1,))
        assert await value(conn, "select count(*) from pg_prepared_statements") == 1
    await asyncio.sleep(0.1)
    assert await value(conn, "select count(*) from pg_prepared_statements") == 0


async def test_a_failed_transaction_refuses_what_we_answer_ourselves(conn: Conn) -> None:
    async with conn.transaction():
        with pytest.raises(psycopg.errors.DivisionByZero):
            await conn.execute("select 1/0")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            await conn.execute("deallocate all")
        raise psycopg.Rollback
