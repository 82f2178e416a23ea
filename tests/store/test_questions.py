"""What people ask in SQL is answered; what would do more than ask is refused, however it is put."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from pinguin.db import Connection, Pool
from pinguin.errors import Unavailable
from pinguin.store import questions
from pinguin.store.questions import Part, Refused, Row
from tests.conftest import Services
from tests.factory import fetch

ANSWERED: tuple[tuple[str, list[Row]], ...] = (
    ("select 1", [["1"]]),
    ("  -- why\n /* not */ (select 1);;  ", [["1"]]),
    ("values (1), (2)", [["1"], ["2"]]),
    ("table monitors limit 0", []),
    ("with a as (select 1 as x) select x, x from a -- end", [["1", "1"]]),
    ("with recursive n(i) as (select 1 union all select i + 1 from n where i < 2) select * from n", [["1"], ["2"]]),
    ("select 'a;b', 'it''s', E'\\'', $$ do $$", [["a;b", "it's", "'", " do "]]),
    ("select null, true, 'infinity'::timestamptz, interval '1 mon 2 days'", [[None, "t", "infinity", "1 mon 2 days"]]),
    ("select current_user", [["pinguin_reader"]]),
    ('select "a :funcid 2078" from (select 1 as "a :funcid 2078") x', [["1"]]),
    ("select array_agg(x order by x), percentile_cont(0.5) within group (order by x) from generate_series(1, 3) x",
     [["{1,2,3}", "2"]]),
    ("select lag(x) over (order by x) from generate_series(1, 2) x", [[None], ["1"]]),
    ("select time_bucket('1 h', 'epoch'::timestamptz), histogram_percentile(array[0, 1], 0.5) > 0",
     [["1970-01-01 00:00:00+00", "t"]]),
    ("select count(*) from history.uptime(now()), history.expected_slots(now(), now())", [["0"]]),
    ("select jsonb_path_query('{\"a\": 1}', '$.a'), (array[4, 5])[2], row(1, 2) < row(1, 3)", [["1", "5", "t"]]),
)  # fmt: skip

ONLY_ONE = "Only a question can be asked"
MORE = "does more than compute"
NO_VIEW = "is not one of the views"
REFUSED = (
    ("", "no question"),
    (" ;; ", "no question"),
    ("-- only a word", "no question"),
    ("select 1; select 2", "Only one statement"),
    ("select 1; reset role", "Only one statement"),
    ("select 1) question; reset role; select (1", "one statement"),
    ("select 1) question, (select 2", "more than once"),
    ("select 1) a, (select 2", "yntax error"),
    ("select 1 from (select 2) x) question union select from (select 3", "yntax error"),
    ("select 1 /* open", 'Unterminated /* comment at or near "/* open".'),
    ("select 'open", "Unterminated quoted string at or near \"'open\"."),
    ("select 1\x00", "does not know"),
    ("x" * 20_001, "longer than"),
    ("set role postgres", ONLY_ONE),
    ("reset role", ONLY_ONE),
    ("set session authorization default", ONLY_ONE),
    ("set transaction read write", ONLY_ONE),
    ("commit", ONLY_ONE),
    ("do $$ begin reset role; end $$", ONLY_ONE),
    ("call run_job(1)", ONLY_ONE),
    ("explain analyze select 1", ONLY_ONE),
    ("declare c cursor with hold for select 1", ONLY_ONE),
    ("prepare x as select 1", ONLY_ONE),
    ("copy (select 1) to program 'true'", ONLY_ONE),
    ("copy monitors to stdout", ONLY_ONE),
    ("create temp table x (a int)", ONLY_ONE),
    ("listen x", ONLY_ONE),
    ("load 'x'", ONLY_ONE),
    ("delete from monitors", ONLY_ONE),
    ("selec 1", ONLY_ONE),
    ("with x as (delete from monitors returning 1) select 1", "data-modifying"),
    ("with x as (insert into public.users (name) values ('x') returning 1) select 1", "data-modifying"),
    ("select 1 into stolen", "INTO is not allowed"),
    ("select * from monitors for update", ""),
    ("select * from users", NO_VIEW),
    ("select * from public.monitors", NO_VIEW),
    ("select 1 where exists (select from pg_catalog.pg_authid)", NO_VIEW),
    ("select (select max(query) from pg_stat_activity)", NO_VIEW),
    ("with x as (select * from information_schema.tables) select count(*) from x", NO_VIEW),
    ("select * from _timescaledb_config.bgw_job", NO_VIEW),
    ("select set_config('role', 'none', true)", MORE),
    ("select set_config('role', 'none', true), query_to_xml('select * from users', true, true, '')", MORE),
    ("select query_to_xml('select * from users', true, true, '')", MORE),
    ("select table_to_xml('users', true, true, '')", MORE),
    ("select * from ts_stat('select to_tsvector(password_hash) from users')", MORE),
    ("select pg_catalog.pg_sleep(60)", MORE),
    ("select 1 order by pg_sleep_for('1 min') is null", MORE),
    ("select count(*) filter (where pg_sleep(1) is null) from generate_series(1, 9)", MORE),
    ("select x from generate_series(1, 2) x limit (select 1 from pg_sleep(9))", MORE),
    ("select pg_read_file('/etc/passwd')", MORE),
    ("select pg_ls_dir('/')", MORE),
    ("select pg_stat_file('/etc/passwd')", MORE),
    ("select lo_import('/etc/passwd')", MORE),
    ("select lo_from_bytea(0, 'x')", MORE),
    ("select pg_advisory_lock(1)", MORE),
    ("select pg_advisory_xact_lock(1)", MORE),
    ("select pg_terminate_backend(pid) from generate_series(1, 100000) pid", MORE),
    ("select pg_cancel_backend(1)", MORE),
    ("select pg_reload_conf()", MORE),
    ("select pg_notify('events', 'x')", MORE),
    ("select nextval('public.users_id_seq')", MORE),
    ("select setval('public.users_id_seq', 1)", MORE),
    ("select current_setting('data_directory')", MORE),
    ("select add_job('pg_sleep', '1 s')", MORE),
    ("select drop_chunks('results', now())", MORE),
    ("select * from public.uptime(array[1]::bigint[], now(), now())", MORE),
    ("select public.admit_reader()", MORE),
    ("select public.notify_channels('down', 1, 1, 1, now(), '1 s', true)", MORE),
    ("select $1", "no parameter"),
)  # fmt: skip


async def asked(stack: Services, question: str, limit_s: float = 20) -> list[Part]:
    async with questions.asking(stack.database_url, limit_s) as conn:
        return [part async for part in questions.answer(conn, question, limit_s)]


def rows(parts: list[Part]) -> list[Row]:
    return [row for part in parts for row in part.rows]


@pytest.mark.parametrize(("question", "wanted"), ANSWERED)
async def test_a_question_is_answered(stack: Services, question: str, wanted: list[Row]) -> None:
    assert rows(await asked(stack, question)) == wanted


@pytest.mark.parametrize(("question", "why"), REFUSED, ids=[question[:60] for question, _ in REFUSED])
async def test_what_does_more_than_ask_is_refused(stack: Services, question: str, why: str) -> None:
    with pytest.raises(Refused) as refused:
        await asked(stack, question)
    assert why in str(refused.value)


async def test_the_role_alone_holds_too(stack: Services) -> None:
    """Should something pass the judge: no table, no file and no change is to be had as the reader."""
    async with questions.asking(stack.database_url, 10) as conn:
        for statement in ("select * from public.users", "select pg_read_file('/etc/passwd')", "delete from monitors"):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
                await _as_reader(conn, statement)


async def _as_reader(conn: Connection, statement: str) -> None:
    async with conn.transaction(force_rollback=True):
        await conn.execute("set transaction read only")
        await conn.execute("set local role pinguin_reader")
        await conn.execute(statement.encode())


async def test_nothing_is_left_behind(stack: Services, pool: Pool) -> None:
    await asked(stack, "select 1")
    assert await fetch(pool, "select relname::text from pg_class where relname = 'pinguin_question'") == []
    assert await fetch(
        pool, "select current_user::text = session_user::text, current_setting('transaction_read_only')"
    ) == [(True, "off")]


@pytest.mark.parametrize(
    ("question", "position"),
    [
        ("select wrong", 7),
        ("select 1 +", 10),
        ("select 1 frm x", 13),
        ("select\n\n nothing()", 9),
        ("select 'ä', wrong", 12),
    ],
)
async def test_an_error_has_its_place(stack: Services, question: str, position: int) -> None:
    with pytest.raises(Refused) as refused:
        await asked(stack, question)
    assert refused.value.position == position


async def test_an_error_while_it_runs_is_told(stack: Services) -> None:
    with pytest.raises(Refused, match=r"Division by zero\."):
        await asked(stack, "select 1 / (x - 600) from generate_series(1, 1000) x")


async def test_a_long_answer_comes_in_parts_and_need_not_be_taken_whole(stack: Services) -> None:
    parts = await asked(stack, "select * from generate_series(1, 1200)")
    assert [len(part.rows) for part in parts] == [1000, 200, 0]
    async with questions.asking(stack.database_url, 20) as conn:
        answer = questions.answer(conn, "with recursive n as (select 1 as i union all select i + 1 from n) table n", 20)
        first = await anext(answer)
        await answer.aclose()
    assert first.rows[-1] == ["1000"]


async def test_what_takes_too_long_is_stopped(stack: Services, pool: Pool) -> None:
    endless = "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b where a # b = -1"
    with pytest.raises(Refused, match="took too long"):
        await asyncio.wait_for(asked(stack, endless, 0.5), 120)
    assert await fetch(pool, "select 1") == [(1,)]


async def test_an_endless_answer_is_stopped_between_its_parts(stack: Services) -> None:
    endless = "with recursive n as (select 1 as i union all select i + 1 from n) table n"
    async with asyncio.timeout(120), questions.asking(stack.database_url, 60) as conn:
        with pytest.raises(Refused, match="whole answer"):
            async for _ in questions.answer(conn, endless, 1):
                pass


async def test_a_database_that_is_away_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(Unavailable):
        async with questions.asking(f"host={tmp_path_factory.mktemp('nothing')} user=postgres", 1):
            pass
