from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest
import uvicorn
from litestar import Litestar

from pinguin.db import Pool, connection
from pinguin.settings import Settings
from pinguin.store import sessions
from pinguin.web.app import server_config
from pinguin.web.gate import local_address
from pinguin.web.headers import CONTENT_SECURITY_POLICY
from pinguin.web.sessions import csrf_token, good_csrf
from tests.factory import add_monitor, fetch
from tests.web.conftest import PASSWORD, Client, account, browser, signed_in

PAGES = (
    "/",
    "/monitors?q=nothing",
    "/incidents",
    "/monitors/new",
    "/monitors/1",
    "/monitors/1/edit",
    "/monitors/1/delete",
    "/monitors/1/chart?range=7d",
)


@pytest.mark.parametrize("path", PAGES)
async def test_without_an_account_every_page_leads_to_the_first(visitor: Client, path: str) -> None:
    answer = await visitor.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/setup")


@pytest.mark.parametrize("path", [*PAGES, "/live/list", "/live/list/rows"])
async def test_without_a_session_every_page_leads_to_the_sign_in(visitor: Client, pool: Pool, path: str) -> None:
    await account(pool)
    answer = await visitor.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


async def test_the_sign_in_remembers_where_somebody_wanted_to_go(visitor: Client, pool: Pool) -> None:
    await account(pool)
    answer = await visitor.get("/monitors/1?range=7d")
    assert answer.headers["location"] == "/sign-in?next=%2Fmonitors%2F1%3Frange%3D7d"


async def test_a_fragment_without_a_session_sends_the_whole_page_to_the_sign_in(visitor: Client, pool: Pool) -> None:
    await account(pool)
    answer = await visitor.get("/live/list/rows?ids=1", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in")


async def test_a_session_ends_by_itself(visitor: Client, pool: Pool) -> None:
    await signed_in(visitor, pool, await account(pool), lifetime_s=-1)
    assert (await visitor.get("/")).status_code == 303


async def test_the_database_holds_no_token(client: Client, pool: Pool) -> None:
    token = client.cookies["pinguin"]
    [(kept,)] = await fetch(pool, "select token_hash from sessions")
    assert token.encode() not in kept
    assert len(kept) == 32


@pytest.mark.parametrize(
    "path", ["/sign-out", "/monitors/new", "/monitors/test", "/monitors/1/pause", "/monitors/1/delete"]
)
@pytest.mark.parametrize("token", [None, "", "AAAA", "ü", "a" * 90])
async def test_a_form_without_its_token_is_refused(client: Client, pool: Pool, path: str, token: str | None) -> None:
    await add_monitor(pool)
    answer = await client.post(path, data={"_csrf": token} if token is not None else {"name": "x"})
    assert answer.status_code == 403
    assert await fetch(pool, "select enabled, archived_at from monitors") == [(True, None)]


async def test_the_token_of_another_session_is_refused(client: Client, app: Litestar, pool: Pool) -> None:
    async with browser(app) as other:
        await signed_in(other, pool, 1)
        theirs = await other.token()
    assert (await client.post("/sign-out", data={"_csrf": theirs})).status_code == 403


def test_a_token_never_looks_the_same_and_always_counts() -> None:
    first, second = csrf_token("session"), csrf_token("session")
    assert first != second
    assert good_csrf("session", first)
    assert good_csrf("session", second)
    assert not good_csrf("another", first)


FOREIGN = (
    {"Origin": "http://evil.test"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": ""},
    {"Origin": "http://[::1"},
)


@pytest.mark.parametrize("headers", FOREIGN)
async def test_what_another_site_sends_is_refused(client: Client, headers: dict[str, str]) -> None:
    token = await client.token()
    assert (await client.post("/sign-out", data={"_csrf": token}, headers=headers)).status_code == 403
    assert (await client.post("/sign-in", data={"name": "ada"}, headers=headers)).status_code == 403
    assert (await client.get("/")).status_code == 200


async def test_only_forms_are_taken(client: Client) -> None:
    for content_type in ("text/plain", "application/json", "multipart/form-data; boundary=x"):
        answer = await client.post("/monitors/new", content=b"{}", headers={"Content-Type": content_type})
        assert answer.status_code == 415


async def test_a_form_with_too_many_fields_is_refused(client: Client) -> None:
    fields = {f"f{number}": "x" for number in range(600)}
    assert (await client.post("/monitors/new", data=fields)).status_code == 400


async def test_a_form_that_is_too_large_is_refused(client: Client) -> None:
    assert (await client.post("/monitors/new", data={"name": "x" * 2_000_000})).status_code == 413


@pytest.mark.parametrize(
    "path", [*PAGES, "/sign-in", "/setup", "/nowhere", "/static/pinguin.css", "/healthz", "/readyz"]
)
async def test_every_answer_says_what_a_browser_may_do(client: Client, pool: Pool, path: str) -> None:
    await add_monitor(pool)
    answer = await client.get(path)
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == (
        "public, max-age=31536000, immutable" if path.startswith("/static") else "no-store"
    )


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/monitors/1?a=b", "/monitors/1?a=b"),
        ("https://evil.test/", "/"),
        ("//evil.test/", "/"),
        ("/\\evil.test/", "/"),
        ("/a\\b", "/"),
        ("/\t/evil.test", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_a_link_to_the_sign_in_leads_nowhere_else(wanted: str, led_to: str) -> None:
    assert local_address(wanted) == led_to


async def test_ids_that_cannot_be_are_not_found(client: Client) -> None:
    for number in ("0", "-1", "99999999999999999999", "9" * 5000, "1e3", "abc", "9223372036854775807"):
        answer: httpx.Response = await client.get(f"/monitors/{number}")
        assert answer.status_code == 404
        assert "There is nothing here" in answer.text


# --- what proxies say


@pytest.mark.parametrize(
    ("trusted", "said", "seen"),
    [
        ("", "203.0.113.9", "127.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.0/8", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
    ],
    ids=["nobody is trusted", "another is", "it is", "it is, and the caller lies about itself"],
)
async def test_only_a_trusted_proxy_says_who_asks(
    app: Litestar, pool: Pool, trusted: str, said: str, seen: str
) -> None:
    """Else whoever guesses passwords would have as many addresses as they like."""
    await account(pool)
    config = server_config(Settings(web_host="127.0.0.1", web_port=0, trusted_proxies=trusted), app)
    config.lifespan = "off"  # the app goes on in other tests
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    async with httpx.AsyncClient(
        base_url=address, headers={"Origin": address, "X-Forwarded-For": said}, timeout=60
    ) as caller:
        answer = await caller.post("/sign-in", data={"name": "ada", "password": "a guess"})
    server.should_exit = True
    await serving
    assert answer.status_code == 422
    assert await fetch(pool, "select address from failed_sign_ins") == [(seen,)]


async def test_lies_about_addresses_do_not_reset_the_count(visitor: Client, pool: Pool) -> None:
    await account(pool)
    codes = []
    for number in range(10):
        headers = {"X-Forwarded-For": f"203.0.113.{number}", "X-Real-IP": f"203.0.113.{number}"}
        sent = {"name": "ada", "password": "a guess"}
        codes.append((await visitor.post("/sign-in", data=sent, headers=headers)).status_code)
    assert codes == [422] * 8 + [429] * 2


async def test_many_addresses_together_guess_no_faster(app: Litestar, pool: Pool) -> None:
    """The account is throttled too; but not for somebody where it is signed in already."""
    user_id = await account(pool)
    async with AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(browser(app, f"203.0.113.{n}")) for n in range(5)]
        for caller in callers[:4]:
            codes = [await guess(caller, f"guess {n}") for n in range(8)]
        assert codes == [422] * 6 + [429] * 2
        assert await guess(callers[4], PASSWORD) == 429
        async with connection(pool) as conn:
            await sessions.open_session(conn, user_id, b"x" * 32, 600, "203.0.113.4")
        assert await guess(callers[4], PASSWORD) == 303


async def guess(client: Client, password: str) -> int:
    return (await client.post("/sign-in", data={"name": "ada", "password": password})).status_code
