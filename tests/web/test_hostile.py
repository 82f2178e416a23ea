"""Hostile input in every form, query parameter and address: never a 500, and never markup that somebody sent.

The forms are read from the pages, the names of query parameters from the code as it asks for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote_plus

import pytest
from litestar import Litestar
from litestar.datastructures import MultiDict
from structlog.testing import capture_logs

from pinguin.db import Pool
from pinguin.people import Role
from pinguin.web.sessions import csrf_token
from tests.factory import add_incident, add_monitor, fetch
from tests.store.pushing import add_push
from tests.store.test_channels import add as add_channel
from tests.web.conftest import PASSWORD, Client, account, person, signed_in
from tests.web.test_channels import message
from tests.web.test_roles import routes

MARKUP = "\"'><img src=x onerror=alert(1)>"
VALUES = (
    MARKUP, "", " ", "\x00", "a\x00b", "-1", "0", "9" * 18, "9" * 30, "9" * 5000, "1e309", "nan", "1_0", "٣", "²", "½",
    "\ud83d", "\U0001f427" * 300, "x" * 70_000, "a\nb\tc", "\u2028\u202e\x85", "{{ 7 * 7 }}", "{% for a in b %}",
    "%(x)s %s {}", "../../etc/passwd", "//evil.test", "/\\evil.test", "/ä\U0001f427", "javascript:alert(1)",
    "http://u:p@[::1]:99999/", "http://[", "https://ä.test/", "a@b\r\nBcc: c@d", "0000-00-00", "0001-01-01T00:00",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59", "9999-12-31", "9999-12-31T23:59", "1969-12-31",
    "2026-02-30", "2026-W01-1", "24:00", "02:30+05:00", "* * * * *", "0 0 31 2 *", "Europe/Berlin", "posix/UTC",
    "../UTC", "(a+)+$", "[", "null", "[]", "AA==", "Zm9v", "2026-01-01T00:00:00+00:00_1", "local", "once", "cron",
)  # fmt: skip
"""What people, scanners and broken programs send."""
IDS = ("0", "-1", "9" * 18, "9" * 30, "9" * 5000, "1.5", "1e3", "٣", "%00", "%ff", "a", "1%2f..", "%2e%2e")
TAIL = re.compile(r"delete|remove|sign-out|/end|/sessions/|/role|second-factor|password|resolve|revoke")
"""What ends things goes last."""


@dataclass
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Forms(HTMLParser):
    """The posting forms of a page, filled in as a browser would send them, by each of their buttons."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._form: Form | None = None
        self._select, self._area = "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("method") == "post":
            self._form = Form(given["action"])
            self.found.append(self._form)
        if self._form is None:
            return
        name, kind = given.get("name", ""), given.get("type", "")
        if "formaction" in given:
            self.found.append(Form(given["formaction"], self._form.fields))
        elif name and tag == "input" and (kind not in ("checkbox", "radio") or "checked" in given):
            self._form.fields[name] = given.get("value", "on")
        elif name and tag in ("input", "button", "textarea"):
            self._form.fields.setdefault(name, given.get("value", ""))
            self._area = name if tag == "textarea" else ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in given or self._select not in self._form.fields):
            self._form.fields[self._select] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._form and self._area:
            self._form.fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if tag == "textarea":
            self._area = ""


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


def addresses(app: Litestar, method: str) -> list[str]:
    """Of all pages, with 1 for each number."""
    found = {path for each, path, _ in routes(app) if each == method and not re.search(r"\{(?!\w*_id)", path)}
    return sorted(re.sub(r"\{[^}]*\}", "1", path) for path in found)


def asked(app: Litestar) -> list[str]:
    """Pages that answer at once: streams do not end."""
    return [path for path in addresses(app, "GET") if not re.fullmatch(r"/live/(list|dashboard|monitors/1)", path)]


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


def encoded(fields: dict[str, str]) -> bytes:
    """As a form, lone surrogates too, which no browser sends."""
    texts = ((quote_plus(each.encode("utf-8", "surrogatepass")) for each in pair) for pair in fields.items())
    return "&".join("=".join(pair) for pair in texts).encode()


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
    for method in ("HEAD", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"):
        for path in asked(app):
            answer = await house.request(method, path)
            looked = (303, 400, 404) if method == "HEAD" else ()
            assert answer.status_code in (200, 204, 401, 405, *looked), (method, path, answer.status_code)
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
