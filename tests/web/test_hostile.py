"""Hostile input in every form, query parameter and address: never a 500, and never markup that somebody sent.

The forms are read from the pages, the names of query parameters from the code as it asks for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.datastructures import MultiDict
from structlog.testing import capture_logs

from pinguin.db import Pool
from pinguin.people import Role
from pinguin.web.sessions import csrf_token
from tests.factory import add_incident, add_monitor, fetch
from tests.store.pushing import add_push
from tests.store.telling import add_channel, message
from tests.web.conftest import PASSWORD, Client, account, person, signed_in
from tests.web.hostile import VALUES, encoded
from tests.web.pages import Form, Forms, addresses, asked

IDS = ("0", "-1", "9" * 18, "9" * 30, "9" * 5000, "1.5", "1e3", "٣", "%00", "%ff", "a", "1%2f..", "%2e%2e")
TAIL = re.compile(r"delete|remove|sign-out|/end|/sessions/|/role|second-factor|password|resolve|revoke")
"""What ends things goes last."""


@pytest.fixture
async def house(visitor: Client, pool: Pool) -> Client:
    """An owner, and one of everything: number 1 of each."""
    owner = await account(pool)
    await person(pool, "bob", Role.EDITOR)
    await signed_in(visitor, pool, owner)
    shop = await add_monitor(pool, type="http", options={"url": "http://127.0.0.1:9/"}, name="shop")
    await add_push(pool, period_s=3600)
    channel = await add_channel(pool)
    await message(pool, channel, "failed", ("failed", "no answer"))
    await add_incident(pool, shop)
    await visitor.submit("/channel-groups/new", {"name": "night", f"channel.{channel}": "on"})
    await visitor.submit("/account/tokens", {"label": "ci", "scope": "read", "current": PASSWORD})
    planned = {"kind": "manual", "title": "upgrade", "zone": "UTC", "counts": "excluded", "scope": "everything"}
    assert (await visitor.submit("/maintenance/new", planned | {"hours": "1"})).status_code == 303
    return visitor


async def all_forms(client: Client, app: Litestar) -> list[Form]:
    extra = [f"/maintenance/new?kind={kind}" for kind in ("weekly", "monthly", "monthly_weekday", "cron", "manual")]
    extra += [f"/monitors/new?type={name}" for name in app.state.web.types]
    extra += [f"/channels/new?kind={name}" for name in app.state.web.kinds]
    pages = [await client.get(path) for path in [*asked(app), *extra]]
    found = [form for page in pages for form in Forms(page.text).found]
    once = {(form.action, *form.fields): form for form in found}
    return sorted(once.values(), key=lambda form: bool(TAIL.search(form.action)))


def mutated(form: Form, turn: int) -> Iterator[dict[str, str]]:
    """One field at a time is hostile, each value in its turn; at last all at once."""
    names = [name for name in form.fields if name != "_csrf"]
    for place, name in enumerate(names):
        yield form.fields | {name: VALUES[(turn + 7 * place) % len(VALUES)]}
    yield form.fields | dict.fromkeys(names, VALUES[turn % len(VALUES)])


@pytest.mark.parametrize("turn", [0, len(VALUES) // 2])
async def test_no_form_falls_over_what_is_sent(house: Client, app: Litestar, pool: Pool, turn: int) -> None:
    """Each turn takes every other form."""
    found = await all_forms(house, app)
    assert len({form.action for form in found}) > 30
    for place, form in enumerate(found):
        for sent in mutated(form, turn + place) if place % 2 == bool(turn) else ():
            await judged(house, pool, "POST", form.action, sent)


async def judged(client: Client, pool: Pool, method: str, path: str, sent: dict[str, str] | None = None) -> None:
    """Ask, and fail with what was sent where the answer is ours to be ashamed of."""
    body: Any = {}
    if sent is not None:
        sent = sent | {"_csrf": csrf_token(client.cookies["pinguin"])}
        body = {"content": encoded(sent), "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
    with capture_logs() as logs:
        answer = await client.request(method, path, **body)
    short = {name: value[:80] for name, value in (sent or {}).items()}
    assert answer.status_code < 500, (method, path, short, logs)
    assert "<img src=x" not in answer.text, (method, path, short)
    location = answer.headers.get("location", "/")
    assert re.match(r"/(?![/\\])", location), (path, short, location)
    if "/sign-in" in location or "pinguin=" in answer.headers.get("set-cookie", ""):
        client.cookies.clear()
        await signed_in(client, pool, 1)


async def test_no_page_falls_over_its_query(
    house: Client, app: Litestar, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: set[str] = set()
    get = MultiDict.get

    def noted(self: Any, name: str, default: Any = None) -> Any:
        names.add(name)
        return get(self, name, default)

    monkeypatch.setattr(MultiDict, "get", noted)
    turn = 0
    for path in asked(app):
        names.clear()
        await judged(house, pool, "GET", path)
        for name in sorted(names):
            for _ in range(2):
                turn += 1
                value = encoded({name: VALUES[turn % len(VALUES)]}).decode()
                await judged(house, pool, "GET", f"{path}?{value[:7000]}&{name}=%ff%00")
                await judged(house, pool, "GET", f"{path}?{value[:7000]}")


async def test_no_address_falls_over_its_numbers(house: Client, app: Litestar, pool: Pool) -> None:
    for method in ("GET", "POST"):
        for place, path in enumerate(each for each in addresses(app, method) if "/1" in each):
            for number in (IDS[place % len(IDS)], IDS[(place + 5) % len(IDS)]):
                await judged(house, pool, method, path.replace("/1", f"/{number}", 1), {} if method == "POST" else None)


async def test_no_other_method_does_anything(house: Client, app: Litestar, pool: Pool) -> None:
    before = await fetch(pool, "select count(*) from audit")
    for path in asked(app):
        looked = await house.get(path)
        assert (await house.head(path)).status_code == looked.status_code, path
        for method in ("PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"):
            answer = await house.request(method, path)
            assert answer.status_code in (200, 204, 401, 405), (method, path, answer.status_code)
    assert await fetch(pool, "select count(*) from audit") == before


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (413, {}, b"a=" + b"x" * 5_000_000),
        (400, {}, b"&".join(b"a%d=" % number for number in range(600))),
        (403, {}, b"\xff\xfe\x00" * 1000),
        (403, {}, b"_csrf=" + b"%ff" * 64),
        (415, {"Content-Type": "application/json"}, b"{}"),
        (415, {"Content-Type": "multipart/form-data; boundary=x"}, b"--x--"),
        (415, {"Content-Type": ";;="}, b""),
        (403, {"Origin": "null"}, b"a=b"),
        (403, {"Origin": "http://pinguin.test.evil.test"}, b"a=b"),
        (403, {"Sec-Fetch-Site": "cross-site"}, b"a=b"),
        (403, {"Sec-Fetch-Site": "same-site"}, b"a=b"),
    ],
)
async def test_no_form_takes_a_strange_body(
    house: Client, app: Litestar, status: int, headers: dict[str, str], body: bytes
) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for path in addresses(app, "POST"):
        answer = await house.post(path, content=body, headers=kind | headers)
        if path.startswith("/api/"):  # which takes no cookie, so no form of a page either
            assert answer.status_code == 401, path
        elif path.startswith(("/setup", "/sign-in", "/join")):  # these need no session, so no token of one
            assert answer.status_code < 500, path
        else:
            assert answer.status_code == status, path
