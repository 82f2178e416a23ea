"""The page SQL: what may be asked, by whom, and how an answer comes."""

from __future__ import annotations

import csv
import io
import json

import pytest
from litestar import Litestar

from pinguin.db import Pool
from pinguin.people import Role
from pinguin.web import analytics, sql_answer, sql_docs
from pinguin.web.service import Web
from tests.factory import add_monitor, fetch
from tests.web.conftest import Client, browser, person, signed_in
from tests.web.hostile import VALUES, encoded

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests must not make an answer take too long."""
    for name in ("LIMIT_S", "EMBEDDED_LIMIT_S"):
        monkeypatch.setattr(sql_answer, name, 60.0)


@pytest.fixture
def web(app: Litestar) -> Web:
    found = app.state.web
    assert isinstance(found, Web)
    return found


async def test_the_page_lists_what_there_is_to_ask(client: Client) -> None:
    text = (await client.get("/sql")).text
    for words in (
        "history.results_hourly",
        "Milliseconds of the name look-up.",
        "history.uptime()",
        "What is down now",
    ):
        assert words in text


async def test_an_answer_stands_on_the_page(client: Client, pool: Pool) -> None:
    await add_monitor(pool, name="<b>shop</b>")
    answer = await client.submit("/sql/answer", {"sql": "select id, name, null as nothing from monitors"})
    assert answer.status_code == 200
    assert '<td class="right">1</td><td>&lt;b&gt;shop&lt;/b&gt;</td><td><i>null</i></td>' in answer.text
    assert "select id, name, null as nothing from monitors</textarea>" in answer.text


async def test_a_written_question_is_filled_in_and_answered(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    address = f"/sql?question=uptime&monitor={monitor}&from=2026-01-01T00:00:00%2B00:00&to=2026-02-01"
    text = (await client.get(address)).text
    assert f"{monitor}::bigint as monitor" in text
    assert "timestamptz &#39;2026-01-01T00:00:00+00:00&#39; as since" in text
    assert "timestamptz &#39;2026-02-01T00:00:00+00:00&#39; as until" in text
    assert await fetch(pool, "select count(*) from audit") == [(0,)]


@pytest.mark.parametrize("query", ["monitor=x", "monitor=1;drop", "from=yesterday", "to=9999-99-99", "from='"])
async def test_what_can_be_no_parameter_is_refused(client: Client, query: str) -> None:
    assert (await client.get(f"/sql?question=uptime&{query}")).status_code == 400


async def test_there_is_no_question_of_that_name(client: Client) -> None:
    assert (await client.get("/sql?question=../uptime")).status_code == 404


async def test_an_error_says_where_it_is(client: Client) -> None:
    answer = await client.submit("/sql/answer", {"sql": "select id,\r\n  wrong from monitors"})
    assert answer.status_code == 400
    assert "Column &#34;wrong&#34; does not exist." in answer.text
    assert "Line 2: <code>  <mark>wrong</mark> from monitors</code>" in answer.text


async def test_a_thousand_rows_are_shown(client: Client) -> None:
    text = (await client.submit("/sql/answer", {"sql": "select * from generate_series(1, 1001) n"})).text
    assert "1 000 rows, and there are more" in text
    assert '<td class="right">1000</td>' in text
    assert '<td class="right">1001</td>' not in text
    text = (await client.submit("/sql/answer", {"sql": "select * from generate_series(1, 1000) n"})).text
    assert "there are more" not in text


async def test_a_csv_file_has_up_to_a_hundred_thousand_rows(client: Client) -> None:
    answer = await client.submit(
        "/sql/answer.csv", {"sql": "select n, '=1+1' as text, -n as less from generate_series(1, 100001) n"}
    )
    assert answer.headers["content-disposition"] == 'attachment; filename="pinguin-answer.csv"'
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["n", "text", "less"]
    assert rows[1] == ["1", "'=1+1", "-1"]
    assert len(rows) == 1 + sql_answer.DOWNLOADED
    assert answer.headers["x-rows"] == "100000"


async def test_a_json_file_keeps_the_types(client: Client) -> None:
    question = """select 1 as a, 1.50 as a, 'x"y' as text, null as nothing, true as yes, '{"b": [1]}'::jsonb as tree,
      'NaN'::float8 as odd, interval '90 min' as span, array[1, 2] as list from generate_series(1, 2)"""
    found = json.loads((await client.submit("/sql/answer.json", {"sql": question})).text)
    assert found == 2 * [
        {
            "a": 1, "a_2": 1.5, "text": 'x"y', "nothing": None, "yes": True, "tree": {"b": [1]}, "odd": "NaN",
            "span": "01:30:00", "list": "{1,2}",
        }
    ]  # fmt: skip
    assert json.loads((await client.submit("/sql/answer.json", {"sql": "select 1 where false"})).text) == []


async def test_every_question_is_written_down(client: Client, pool: Pool) -> None:
    await client.submit("/sql/answer", {"sql": "select 1"})
    await client.submit("/sql/answer", {"sql": "select * from users"})
    await client.submit("/sql/answer.csv", {"sql": "select 2"})
    assert await fetch(pool, "select actor, action, changes -> 'question' ->> 'to' from audit order by id") == [
        ("ada", "sql.ask", "select 1"),
        ("ada", "sql.ask", "select * from users"),
        ("ada", "sql.download", "select 2"),
    ]


async def test_whatever_is_sent_as_a_question_is_answered_or_refused(client: Client, pool: Pool) -> None:
    token = await client.token()
    for number, value in enumerate(VALUES):
        path = ("/sql/answer", "/sql/answer.csv", "/sql/answer.json")[number % 3]
        answer = await client.post(path, content=encoded({"_csrf": token, "sql": value}), headers=FORM)
        assert answer.status_code in (200, 400), (path, value[:50])
        assert "<img src=x" not in answer.text
        answer = await client.get("/sql", params={"question": "uptime", "from": value.encode("utf-8", "replace")[:200]})
        assert answer.status_code in (200, 400), value[:50]


async def test_viewers_read_the_sql_and_ask_nothing(app: Litestar, pool: Pool, client: Client) -> None:
    async with browser(app) as other:
        await signed_in(other, pool, await person(pool, "cyd", Role.VIEWER))
        monitor = await add_monitor(pool)
        chart = (await other.get(f"/monitors/{monitor}")).text
        assert f'href="/sql?question=uptime&amp;monitor={monitor}' in chart
        page = await other.get("/sql?question=uptime&monitor=7")
        assert page.status_code == 200
        assert "7::bigint as monitor" in page.text
        assert "It takes an editor" in page.text
        assert "/sql/answer" not in page.text
        for path in ("/sql/answer", "/sql/answer.csv", "/sql/answer.json"):
            assert (await other.submit(path, {"sql": "select 1"})).status_code == 403
    assert await fetch(pool, "select count(*) from audit where action like 'sql%%'") == [(0,)]


async def test_an_endless_question_is_stopped_and_others_are_answered(
    client: Client, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LIMIT_S", "EMBEDDED_LIMIT_S"):
        monkeypatch.setattr(sql_answer, name, 0.5)
    endless = "with recursive t as (select 1 as n union all select n + 1 from t) select count(*) from t"
    for path in ("/sql/answer", "/sql/answer.csv", "/sql/answer.json"):
        answer = await client.submit(path, {"sql": endless})
        assert answer.status_code == 400
        assert "took too long" in answer.text
    assert not web.questions.locked()
    assert (await client.get("/incidents")).status_code == 200


async def test_an_answer_without_an_end_is_bounded(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_answer, "FILE_BYTES", 100_000)
    endless = "with recursive t as (select 1 as n union all select n + 1 from t) select n, repeat('x', 100) from t"
    answer = await client.submit("/sql/answer.csv", {"sql": endless})
    assert answer.status_code == 400
    assert "larger than" in answer.text
    assert (await client.submit("/sql/answer", {"sql": endless})).status_code == 200


async def test_without_the_role_nothing_is_asked(client: Client, pool: Pool) -> None:
    async with pool.connection() as conn:
        await conn.execute("revoke usage on schema history from pinguin_reader")
    try:
        page = await client.get("/sql")
        assert (page.status_code, "create role pinguin_reader" in page.text) == (200, True)
        assert (await client.submit("/sql/answer", {"sql": "select 1"})).status_code == 400
    finally:
        async with pool.connection() as conn:
            await conn.execute("select admit_reader()")


async def test_a_role_that_may_do_more_is_not_used(client: Client, pool: Pool) -> None:
    async with pool.connection() as conn:
        await conn.execute("grant select on users to pinguin_reader")
    try:
        answer = await client.submit("/sql/answer", {"sql": "select 1"})
        assert (answer.status_code, "may do more" in answer.text) == (400, True)
    finally:
        async with pool.connection() as conn:
            await conn.execute("revoke select on users from pinguin_reader")


@pytest.mark.parametrize("name", sorted(analytics.questions()))
async def test_every_written_question_is_answered(client: Client, pool: Pool, name: str) -> None:
    await add_monitor(pool, made_at=None)
    text = analytics.question(name).filled({"monitor": 1})
    answer = await client.submit("/sql/answer", {"sql": text})
    assert answer.status_code == 200, answer.text


def test_the_page_of_the_docs_is_as_the_files_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert sql_docs.PATH.read_text() == sql_docs.text(), "run `python -m pinguin.web.sql_docs`"
    assert len(analytics.questions()) >= 20


def test_every_question_has_a_title_and_says_what_it_counts() -> None:
    for each in analytics.questions().values():
        assert 5 < len(each.title) < 70, each.name
        assert each.about.endswith("."), each.name
        assert each.sql.endswith(";\n"), each.name
