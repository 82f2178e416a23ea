"""Every route has a decision about who may ask, and it is held: read from the app itself."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import Litestar

from pinguin.db import Pool
from pinguin.people import Role
from pinguin.web import gate
from tests.factory import add_monitor, fetch
from tests.web.conftest import Client, account, browser, person, signed_in
from tests.web.pages import routes

OPEN = {
    "accounts.show_setup", "accounts.set_up", "accounts.show_sign_in", "accounts.sign_in", "accounts.sign_in_with_code",
    "accounts.show_join", "accounts.join", "health.healthz", "health.readyz", "health.metrics", "push.ping",
    "push.ping_at_root", "routes.show_openapi", "badges.show_badge", "own_files.show_own_file",
}  # fmt: skip
"""What anybody may ask. Whoever adds to it has decided so."""


def behind(app: Litestar, guard: Any) -> list[tuple[str, str, Role]]:
    """(method, address, least role) of what is behind `guard`, with 1 for every parameter."""
    return [
        (method, re.sub(r"\{[^}]*\}", "1", path), gate.least_role(handler, method))
        for method, path, handler in routes(app)
        if handler.resolve_before_request() is guard
    ]


def test_every_route_is_behind_the_gate_or_open_on_purpose(one_app: Litestar) -> None:
    guards = (gate.account_only, gate.token_only)
    found = [each.fn for _, _, each in routes(one_app) if each.resolve_before_request() not in guards]
    assert {f"{each.__module__.rpartition('.')[2]}.{each.__name__}" for each in found} == OPEN


def test_what_changes_something_takes_an_editor_unless_it_says_otherwise(one_app: Litestar) -> None:
    """Viewers may post what is their own: the account, their views of the list, and the way out."""
    for method, path, role in behind(one_app, gate.account_only):
        if method not in gate.SAFE and role is Role.VIEWER:
            assert path.startswith(("/account", "/monitors/views")) or path == "/sign-out", path
        if path.startswith(("/people", "/audit")):
            assert role is Role.OWNER, path


def test_forms_are_for_those_who_may_send_them(one_app: Litestar) -> None:
    roles = {(method, path): role for method, path, role in behind(one_app, gate.account_only)}
    for (method, path), role in roles.items():
        if method == "GET" and (posted := roles.get(("POST", path))):
            assert role.allows(posted), f"{path} shows a form that may not be sent"
    for (method, path), role in roles.items():
        if method == "GET" and path.endswith(("/new", "/edit", "/delete", "/remove")):
            assert role.allows(Role.EDITOR), path


@pytest.fixture
async def clients(app: Litestar, pool: Pool) -> AsyncIterator[dict[Role, Client]]:
    """Somebody of each role."""
    owner = await account(pool)
    async with browser(app) as ada, browser(app) as bob, browser(app) as cyd:
        await signed_in(ada, pool, owner)
        await signed_in(bob, pool, await person(pool, "bob", Role.EDITOR))
        await signed_in(cyd, pool, await person(pool, "cyd", Role.VIEWER))
        yield {Role.OWNER: ada, Role.EDITOR: bob, Role.VIEWER: cyd}


async def test_who_has_too_little_is_refused_everywhere(clients: dict[Role, Client], app: Litestar, pool: Pool) -> None:
    await add_monitor(pool)
    for role, client in clients.items():
        token = await client.token()
        for method, path, least in behind(app, gate.account_only):
            if role.allows(least):
                continue
            answer = await client.request(method, path, data={"_csrf": token} if method == "POST" else None)
            assert answer.status_code == 403, (role, method, path)
            assert method == "HEAD" or f"This takes the role {least}" in answer.text
    assert await fetch(pool, "select enabled, archived_at, version from monitors") == [(True, None, 1)]
    assert await fetch(pool, "select name, role from users order by id") == [
        ("ada", "owner"), ("bob", "editor"), ("cyd", "viewer"),
    ]  # fmt: skip


async def test_without_a_session_nothing_behind_the_gate_answers(visitor: Client, app: Litestar, pool: Pool) -> None:
    await account(pool)
    for method, path, _ in behind(app, gate.account_only):
        answer = await visitor.request(method, path, data={"_csrf": "x"} if method == "POST" else None)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in"), path


async def test_without_a_token_nothing_of_the_api_answers(client: Client, app: Litestar) -> None:
    """The session of a browser is none: no other site can use it there."""
    found = behind(app, gate.token_only)
    assert found
    for method, path, _ in found:
        answer = await client.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json"), path


async def test_pages_offer_no_viewer_what_is_refused(clients: dict[Role, Client], app: Litestar, pool: Pool) -> None:
    """No form that posts and no link that leads to what takes more than looking."""
    await add_monitor(pool)
    refused = {(method, path) for method, path, least in behind(app, gate.account_only) if least is not Role.VIEWER}
    viewer = clients[Role.VIEWER]
    for method, path, least in behind(app, gate.account_only):
        if method != "GET" or least is not Role.VIEWER or path.startswith("/live"):
            continue
        text = (await viewer.get(path)).text
        posts = re.findall(r'(?:<form[^>]*method="post"[^>]*action|formaction|hx-post)="([^"?]*)', text)
        links = re.findall(r'<a[^>]*href="(/[^"?#]*)', text)
        offered = {("POST", each) for each in posts} | {("GET", each) for each in links}
        assert not offered & refused, path


async def test_an_editor_edits_and_sees_no_people(clients: dict[Role, Client], pool: Pool) -> None:
    monitor = await add_monitor(pool)
    editor = clients[Role.EDITOR]
    assert (await editor.submit(f"/monitors/{monitor}/pause")).status_code == 303
    shown = (await editor.get("/")).text
    assert 'href="/people"' not in shown
    assert 'href="/audit"' not in shown
    assert 'href="/people"' in (await clients[Role.OWNER].get("/")).text
