"""COPY in and out: text, binary, extended protocol, and everything that goes wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import LiteralString

import psycopg
import pytest

from pinguin.embedded.stack import EmbeddedStack
from tests.embedded.clients import Conn, bare, message, value


async def test_text_in_and_out(conn: Conn) -> None:
    async with conn.cursor() as cursor:
        async with cursor.copy("copy readings (time, id, ok, ms) from stdin") as copy:
            for number in range(5000):
                await copy.write_row((f"2026-11-22 00:{number % 60:02d}:00+00", number, True, 7.0))
        assert cursor.rowcount == 5000
        async with cursor.copy("copy (select id from readings order by id) to stdout") as copy:
            assert [int(bytes(line)) async for line in copy] == list(range(5000))


async def test_binary(conn: Conn) -> None:
    when = datetime(2026, 11, 21, 1, tzinfo=UTC)
    async with conn.cursor() as cursor:
        async with cursor.copy("copy readings from stdin (format binary)") as copy:
            copy.set_types(["timestamptz", "int4", "bool", "float8"])
            for number in range(1000):
                await copy.write_row((when, number, False, 8.0))
        async with cursor.copy("copy (select time, id from readings where id = 999) to stdout with binary") as copy:
            copy.set_types(["timestamptz", "int4"])
            assert [row async for row in copy.rows()] == [(when, 999)]


async def test_extended_protocol(conn: Conn) -> None:
    async with conn.cursor(binary=True) as cursor, cursor.copy("copy accounts from stdin") as copy:
        await copy.write_row((78, 1))
    assert await value(conn, "select v from accounts where id = 78") == 1


@pytest.mark.parametrize(
    ("query", "row", "error"),
    [
        ("copy missing from stdin", ("x",), psycopg.errors.UndefinedTable),
        ("copy accounts from stdin", ("not a number", "2"), psycopg.errors.InvalidTextRepresentation),
        ("copy accounts from stdin", (1, 2, 3), psycopg.errors.BadCopyFileFormat),
    ],
)
async def test_errors(conn: Conn, query: LiteralString, row: tuple[object, ...], error: type[psycopg.Error]) -> None:
    with pytest.raises(error):
        async with conn.cursor() as cursor, cursor.copy(query) as copy:
            await copy.write_row(row)
    assert await value(conn, "select count(*) from accounts") == 0


async def test_the_client_changes_its_mind(conn: Conn) -> None:
    with pytest.raises(KeyError):  # noqa: PT012
        async with conn.cursor() as cursor, cursor.copy("copy accounts from stdin") as copy:
            await copy.write_row((77, 1))
            raise KeyError
    assert await value(conn, "select count(*) from accounts") == 0


async def test_an_error_within_a_transaction(conn: Conn) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):  # noqa: PT012
        async with conn.transaction(), conn.cursor() as cursor:
            await conn.execute("insert into accounts values (1, 1)")
            async with cursor.copy("copy accounts from stdin") as copy:
                await copy.write_row((1, 2))
    assert await value(conn, "select count(*) from accounts") == 0


async def test_a_comment_before_it(conn: Conn) -> None:
    async with conn.cursor() as cursor, cursor.copy("-- ours\n/* all */ copy accounts from stdin") as copy:
        await copy.write_row((1, 1))
    assert await value(conn, "select count(*) from accounts") == 1


async def test_copy_among_other_statements_is_refused(conn: Conn, embedded: EmbeddedStack) -> None:
    """Nobody saw it coming, so its data cannot be awaited: an error, not a hang."""
    async with bare(embedded.database.socket) as client:
        await client.send(message(b"Q", b"select 1; copy accounts from stdin\0"))
        assert b"must be a statement of its own" in await client.answer(message(b"Z", b"I"))
        await client.send(message(b"d", b"1\t1\n") + message(b"c"))
        await client.send(message(b"Q", b"select 42\0"))
        assert b"42" in await client.answer(message(b"Z", b"I"))


async def test_no_copy_after_an_error(conn: Conn, embedded: EmbeddedStack) -> None:
    """What follows an error is skipped until the Sync: nobody may be asked for data."""
    copy = message(b"P", b"\0copy accounts from stdin\0\0\0") + message(b"B", b"\0\0\0\0\0\0\0\0")
    async with bare(embedded.database.socket) as client:
        await client.send(message(b"P", b"\0select nonsense from\0\0\0") + copy + message(b"E", b"\0\0\0\0\0"))
        await client.send(message(b"S"))
        answer = await client.answer(message(b"Z", b"I"))
        assert answer.startswith(b"E")
        assert message(b"G", b"\0\0\0") not in answer


async def test_an_unexpected_message_ends_it(conn: Conn, embedded: EmbeddedStack) -> None:
    async with bare(embedded.database.socket) as client:
        await client.send(message(b"Q", b"copy accounts from stdin\0"))
        await client.answer(b"\0\0\0")
        await client.send(message(b"d", b"1\t1\n") + message(b"Q", b"select 1\0"))
        assert b"unexpected message during COPY" in await client.answer(message(b"Z", b"I"))
    assert await value(conn, "select count(*) from accounts") == 0
