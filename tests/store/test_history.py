"""The schema history: what its views show, how they explain themselves, and what its reader cannot reach."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from pinguin.db import Connection, Pool
from tests.factory import fetch

HIDDEN = (
    "monitors", "monitor_versions", "users", "sessions", "api_tokens", "recovery_codes", "invitations", "sign_in_steps",
    "channels", "channel_groups", "push_tokens", "push_states", "audit", "results", "results_hourly", "notifications",
    "messages", "attempts", "failed_sign_ins",
)  # fmt: skip


@asynccontextmanager
async def reader(pool: Pool) -> AsyncIterator[Connection]:
    """A connection that is the role, within a transaction that leaves nothing."""
    async with pool.connection() as conn, conn.transaction(force_rollback=True):
        await conn.execute("set local role pinguin_reader")
        yield conn


async def test_every_view_and_column_explains_itself(pool: Pool) -> None:
    silent = await fetch(
        pool,
        """select c.relname, a.attname from pg_class c
        left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace = 'history'::regnamespace
          and (obj_description(c.oid) is null or col_description(c.oid, a.attnum) is null)""",
    )
    assert silent == []
    functions = await fetch(
        pool,
        "select proname, obj_description(oid), prosecdef, proconfig from pg_proc"
        " where pronamespace = 'history'::regnamespace",
    )
    assert len(functions) == 3
    for name, words, definer, settings in functions:
        assert words, name
        assert definer, name
        assert settings == ["search_path=public, pg_temp"], name


async def test_the_reader_reads_every_view_and_function(pool: Pool) -> None:
    views = [name for (name,) in await fetch(pool, "select viewname from pg_views where schemaname = 'history'")]
    assert {"monitors", "results", "results_hourly", "results_daily", "transitions", "incidents", "uptimes"} <= set(
        views
    )
    async with reader(pool) as conn:
        for name in views:
            await conn.execute(f"select * from history.{name}")
        for call in ("uptime(now())", "status_seconds(now())", "expected_slots(now(), now())"):
            await conn.execute(f"select * from history.{call}")


@pytest.mark.parametrize("table", HIDDEN)
async def test_the_reader_reads_no_table(pool: Pool, table: str) -> None:
    async with reader(pool) as conn:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await conn.execute(f"select * from public.{table}")


async def test_no_view_shows_what_must_not_be_seen(pool: Pool) -> None:
    columns = {
        name
        for (name,) in await fetch(
            pool, "select column_name::text from information_schema.columns where table_schema = 'history'"
        )
    }
    assert not columns & {
        "options", "alerts", "token", "token_hash", "password_hash", "totp_secret", "facts", "answer", "rule", "key",
    }  # fmt: skip


@pytest.mark.parametrize(
    "statement",
    [
        "insert into history.monitors (name) values ('x')",
        "update history.incidents set message = 'x'",
        "delete from history.results",
        "truncate public.monitors",
        "create table public.mine (a int)",
        "create table history.mine (a int)",
        "select admit_reader()",
        "select pg_read_file('/etc/passwd')",
        "select lo_import('/etc/passwd')",
        "copy (select 1) to program 'true'",
        "copy (select 1) to '/tmp/x'",
        "alter role pinguin_reader superuser",
        "create role more",
        "select * from pg_authid",
        "select * from pg_shadow",
    ],
)
async def test_the_reader_changes_nothing_and_reads_no_files(pool: Pool, statement: str) -> None:
    async with reader(pool) as conn:
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported)):
            await conn.execute(statement)


async def test_the_role_is_made_for_reading(pool: Pool) -> None:
    [(super_, login, settings)] = await fetch(
        pool, "select rolsuper, rolcanlogin, rolconfig from pg_roles where rolname = 'pinguin_reader'"
    )
    assert (super_, login) == (False, False)
    assert {"default_transaction_read_only=on", "statement_timeout=60s"} <= set(settings)


async def test_admitting_the_reader_again_changes_nothing(pool: Pool) -> None:
    assert await fetch(pool, "select admit_reader()") == [("pinguin_reader may read the schema history",)]
