"""Where jobs ping: the addresses, answers and limits that they know from healthchecks.io."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from litestar import Litestar
from structlog.testing import capture_logs

from pinguin.db import Pool
from pinguin.push import Ping
from pinguin.web.intake import Answer
from pinguin.web.service import Web
from pinguin.web.strangers import Strangers
from pinguin.web.throttle import Throttle
from tests.factory import fetch
from tests.store.pushing import add_push, status, token
from tests.web.conftest import Client, Statements, browser

NOBODY = "0b1f5a3e-7c7d-4b61-9d6a-2f0d5c1a9e44"

Made = tuple[int, UUID]
"""A push monitor and its token."""
KEY = "fqOOd6-F4MMNuCEnzTU01w"


@pytest.fixture
async def job(app: Litestar) -> AsyncIterator[Client]:
    """Somebody without an account; and no ping is remembered."""
    web: Web = app.state.web
    web.strangers = Strangers()
    async with browser(app) as client:
        del client.headers["Origin"]
        yield client


@pytest.fixture
async def monitor(pool: Pool, app: Litestar) -> Made:
    monitor_id = await add_push(pool, period_s=3600)
    return monitor_id, await token(pool, monitor_id)


@pytest.fixture
def key(app: Litestar) -> Any:
    """Pings by key and slug are on."""
    web: Web = app.state.web
    before = web.settings
    web.settings = msgspec.structs.replace(before, ping_key=KEY)
    yield KEY
    web.settings = before


async def pings(pool: Pool) -> list[tuple[Any, ...]]:
    return await fetch(pool, "select kind, exit_code, method, body from pings order by at")


@pytest.mark.parametrize("prefix", ["/ping/", "/"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize(
    ("action", "kind", "code"),
    [
        ("", "success", None),
        ("/", "success", None),
        ("/start", "start", None),
        ("/fail", "fail", None),
        ("/log", "log", None),
        ("/0", "exit", 0),
        ("/1", "exit", 1),
        ("/255", "exit", 255),
    ],
)
async def test_every_address_with_every_method(
    job: Client,
    pool: Pool,
    monitor: Made,
    prefix: str,
    method: str,
    action: str,
    kind: str,
    code: int | None,
) -> None:
    answer = await job.request(method, f"{prefix}{monitor[1]}{action}")
    assert answer.status_code == 200
    assert answer.text == ("" if method == "HEAD" else "OK")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Ping-Body-Limit"] == "10000"
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert await pings(pool) == [(kind, code, method, "")]


async def test_what_follows_is_there_when_the_answer_is(job: Client, pool: Pool, monitor: Made) -> None:
    monitor_id, known = monitor
    await job.get(f"/{known}")
    assert (await status(pool, monitor_id))[0] == "up"
    await job.get(f"/{known}/fail")
    assert (await status(pool, monitor_id))[:2] == ("down", "failed")
    await job.get(f"/{known}/0")
    assert (await status(pool, monitor_id))[0] == "up"


async def test_upper_case_and_run_ids(job: Client, pool: Pool, monitor: Made) -> None:
    run = uuid4()
    assert (await job.get(f"/{str(monitor[1]).upper()}/start?rid={run}")).text == "OK"
    assert (await job.get(f"/{monitor[1]}?rid={str(run).upper()}")).text == "OK"
    assert await fetch(pool, "select run_id, duration_ms is null from pings order by at") == [(run, True), (run, False)]


@pytest.mark.parametrize(
    "rid",
    ["", "x", "1", "{728b3763-ea80-4113-9fc0-f49b3adf226a}", "%00", "a" * 5000, "728b3763-ea80-4113-9fc0-f49b3adf226"],
)
async def test_a_run_id_that_is_none(job: Client, pool: Pool, monitor: Made, rid: str) -> None:
    answer = await job.get(f"/ping/{monitor[1]}?rid={rid}")
    assert (answer.status_code, answer.text) == (400, "invalid uuid format")
    assert await pings(pool) == []


@pytest.mark.parametrize("action", ["256", "999999999", "999999999999999", "-1", "1.5", "start2", "٣", "log/x"])
async def test_an_action_that_is_none(job: Client, pool: Pool, monitor: Made, action: str) -> None:
    answer = await job.get(f"/ping/{monitor[1]}/{action}")
    code = 400 if action in ("256", "999999999") else 404
    assert answer.status_code == code
    assert answer.text == ("invalid url format" if code == 400 else "not found")
    assert await pings(pool) == []


@pytest.mark.parametrize("path", ["/ping/x", f"/ping/{NOBODY}", f"/{NOBODY}", f"/{NOBODY}/start", "/ping/a/b/c"])
async def test_nobody_there(job: Client, path: str) -> None:
    answer = await job.get(path)
    assert (answer.status_code, answer.text) == (404, "not found")


@pytest.mark.parametrize("path", ["/nothing", "/nothing/here", "/no/such/page", "/monitors/1/nothing"])
async def test_other_addresses_still_have_the_page_that_says_so(job: Client, path: str) -> None:
    answer = await job.get(path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


async def test_a_body_is_kept_up_to_the_limit_and_never_refused(job: Client, pool: Pool, monitor: Made) -> None:
    assert (await job.post(f"/{monitor[1]}", content=b"x" * 3_000_000)).text == "OK"
    assert (await job.post(f"/{monitor[1]}", content=b"y" * 10_000)).text == "OK"
    assert await fetch(pool, "select body from pings order by at") == [("x" * 10_000,), ("y" * 10_000,)]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"temperature=-7", "temperature=-7"),
        ("Zürich ✓\n".encode(), "Zürich ✓\n"),
        (b"a\0b", "a\ufffdb"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        ("é".encode() * 6000, "é" * 5000),
        (b"x" + "é".encode() * 6000, "x" + "é" * 4999),
        (b"%s{{ 7*7 }}<script>alert(1)</script>", "%s{{ 7*7 }}<script>alert(1)</script>"),
    ],
)
async def test_bodies_of_every_kind(job: Client, pool: Pool, monitor: Made, sent: bytes, kept: str) -> None:
    for action in ("", "/fail"):
        assert (await job.post(f"/{monitor[1]}{action}", content=sent)).text == "OK"
    assert await fetch(pool, "select distinct body from pings") == [(kept,)]


@pytest.mark.parametrize("agent", ["curl/8.5", "x" * 5000, "a\tb", "\xe9\xff", ""])
async def test_user_agents_of_every_kind(job: Client, pool: Pool, monitor: Made, agent: str) -> None:
    answer = await job.get(f"/{monitor[1]}", headers=[(b"User-Agent", agent.encode("latin-1"))])
    assert answer.text == "OK"
    [(kept, remote)] = await fetch(pool, "select user_agent, remote from pings")
    assert len(kept) <= 200
    assert kept.isprintable() or "\ufffd" in kept or kept == ""
    assert remote == "127.0.0.1"


async def test_only_post_counts_where_that_is_wanted(job: Client, pool: Pool) -> None:
    monitor_id = await add_push(pool, methods="POST")
    known = await token(pool, monitor_id)
    assert (await job.get(f"/{known}")).text == "OK"
    assert (await job.head(f"/{known}/fail")).status_code == 200
    assert (await status(pool, monitor_id))[0] == "pending"
    assert (await job.post(f"/{known}")).text == "OK"
    assert (await status(pool, monitor_id))[0] == "up"
    assert [row[0] for row in await pings(pool)] == ["ignored", "ignored", "success"]


async def test_words_in_the_body(job: Client, pool: Pool) -> None:
    monitor_id = await add_push(pool, success_keywords=["complete"], failure_keywords=["error"], otherwise="fail")
    known = await token(pool, monitor_id)
    for body in ("backup complete", "complete, but an error", "what?"):
        await job.post(f"/{known}", content=body)
    await job.post(f"/{known}/0", content="what?")  # this address says itself what it means
    assert [row[0] for row in await pings(pool)] == ["success", "fail", "fail", "exit"]
    assert (await status(pool, monitor_id))[0] == "up"


async def test_methods_that_are_none(job: Client, monitor: Made) -> None:
    assert (await job.delete(f"/ping/{monitor[1]}")).status_code == 405
    assert (await job.put(f"/{monitor[1]}")).status_code == 405


async def test_a_ping_needs_no_session_and_no_form_token_and_gives_no_cookie(job: Client, monitor: Made) -> None:
    for headers in ({"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}, {"Content-Type": "a/b"}):
        answer = await job.post(f"/{monitor[1]}", content=b"x", headers=headers)
        assert answer.text == "OK"
        assert "set-cookie" not in answer.headers


async def test_many_at_once(job: Client, pool: Pool, monitor: Made) -> None:
    answers = await asyncio.gather(*(job.get(f"/{monitor[1]}") for _ in range(150)))
    assert {answer.text for answer in answers} == {"OK"}
    assert await fetch(pool, "select count(*), count(distinct at) from pings") == [(150, 150)]
    assert await fetch(pool, "select count(*) from results") == [(150,)]


async def test_trap_24_a_token_is_in_no_log(
    job: Client, app: Litestar, monitor: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    web: Web = app.state.web
    secret = str(monitor[1])

    async def fails(ping: Any) -> Any:
        raise ValueError(f"cannot take {secret}")

    with capture_logs() as logs:
        await job.get(f"/{secret}")
        await job.get(f"/{secret}/nonsense")
        await job.delete(f"/ping/{secret}")
        monkeypatch.setattr(web.intake, "take", fails)
        answer = await job.get(f"/{secret}")
    assert answer.status_code == 500
    assert secret not in answer.text
    assert any(entry["event"] == "ping_crashed" for entry in logs)
    assert secret not in str(logs)


async def test_guessing_is_slowed_down_but_not_for_those_who_know(
    job: Client, app: Litestar, pool: Pool, monitor: Made
) -> None:
    web: Web = app.state.web
    web.strangers = Strangers(Throttle(most=5, window_s=60))
    assert (await job.get(f"/{monitor[1]}")).text == "OK"
    codes = [(await job.get(f"/{uuid4()}")).status_code for _ in range(7)]
    assert codes == [404] * 5 + [429] * 2
    answer = await job.get(f"/{uuid4()}")
    assert 0 < int(answer.headers["Retry-After"]) <= 61
    assert (await job.get(f"/{monitor[1]}")).text == "OK"


# -- by key and slug


async def test_a_slug_is_pinged_with_the_key(job: Client, pool: Pool, key: str) -> None:
    monitor_id = await add_push(pool, slug="db-backup")
    for path in (f"/{key}/db-backup", f"/ping/{key}/db-backup/start", f"/{key}/db-backup/3?rid={uuid4()}"):
        answer = await job.post(path)
        assert (answer.status_code, answer.text) == (200, "OK")
    assert [row[:2] for row in await pings(pool)] == [("success", None), ("start", None), ("exit", 3)]
    assert (await status(pool, monitor_id))[0] == "down"


async def test_slugs_that_lead_nowhere(job: Client, pool: Pool, key: str) -> None:
    await add_push(pool, slug="twice")
    await add_push(pool, slug="twice")
    answers = {
        path: ((found := await job.get(path)).status_code, found.text)
        for path in (f"/{key}/none", f"/{key}/twice", f"/{key}/UPPER", f"/ping/{key}", f"/ping/wrong{key}/none")
    }
    assert list(answers.values()) == [
        (404, "not found"),
        (409, "ambiguous slug"),
        (400, "invalid url format"),
        (404, "not found"),
        (404, "not found"),
    ]
    assert await pings(pool) == []


async def test_a_slug_makes_its_monitor_once(job: Client, pool: Pool, key: str) -> None:
    answers = await asyncio.gather(*(job.get(f"/{key}/srv01?create=1") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert {answer.text for answer in answers} == {"OK", "Created"}
    [(name, kind, passive, threshold, options)] = await fetch(
        pool, "select name, type, passive, failure_threshold, options from monitors"
    )
    assert (name, kind, passive, threshold, options["slug"]) == ("srv01", "push", True, 1, "srv01")
    assert (await status(pool, 1))[0] == "up"


async def test_slugs_that_come_together_are_looked_up_at_once(
    app: Litestar, pool: Pool, statements: Statements
) -> None:
    intake, slugs = app.state.web.intake, [f"job-{n}" for n in range(22)]
    for slug in slugs:
        await add_push(pool, slug=slug)
    costs = []
    for some in (slugs[:2], slugs[2:]):
        statements.count = 0
        assert await intake.write([Ping(id=uuid4(), slug=slug) for slug in some]) == [Answer.TAKEN] * len(some)
        costs.append(statements.count)
    assert costs[0] == costs[1]


async def test_slugs_that_come_together_make_monitors_as_long_as_there_may_be_more(
    app: Litestar, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinguin.web.intake.MOST_MONITORS", 3)
    await add_push(pool, slug="here")
    wanted = [Ping(id=uuid4(), slug=slug, create=True) for slug in ("one", "here", "one", "two", "three")]
    assert await app.state.web.intake.write([*wanted, Ping(id=uuid4(), slug="nowhere")]) == [
        Answer.CREATED, Answer.TAKEN, Answer.TAKEN, Answer.CREATED, Answer.UNKNOWN, Answer.UNKNOWN,
    ]  # fmt: skip
    assert await fetch(pool, "select name from monitors where options ->> 'slug' <> 'here' order by id") == [
        ("one",), ("two",),
    ]  # fmt: skip


async def test_without_a_ping_key_slugs_are_pages_that_are_not_there(job: Client, pool: Pool) -> None:
    await add_push(pool, slug="db-backup")
    assert "There is nothing here" in (await job.get(f"/{KEY}/db-backup")).text
    assert (await job.get("/ping//db-backup")).status_code == 404
