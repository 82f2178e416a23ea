"""Every page as each role sees it: nothing refused by the policy, nothing wider than the screen."""

from __future__ import annotations

import re

import pytest
from litestar import Litestar
from playwright.async_api import Browser

from pinguin.db import Pool
from pinguin.people import Role
from tests.browser.conftest import PHONE, WIDE, Looks, visiting
from tests.factory import add_incident, add_monitor, fetch
from tests.store.pushing import add_push
from tests.store.telling import add_channel, message
from tests.web.conftest import person
from tests.web.pages import asked

LONG = "x" * 120
TOKEN = re.compile(r"[\w-]{86}==")
"""That of a page's forms, which no other page has."""
WIDER = """() => [...document.querySelectorAll("body *")].filter(each => {
  const box = each.getBoundingClientRect()
  return box.width && box.right > innerWidth + 1 && !each.closest(".scroll, .counts, pre, .skip, svg, .sr")
}).slice(0, 5).map(each => each.outerHTML.slice(0, 150))"""
NO_PAGE = (".json", ".csv", "/live/", "/chart", "/body", "/readyz", "/healthz", "/metrics", "/join", "/static", "/api")

ALSO = ("/monitors/2", "/monitors/2/edit", "/monitors/2/pings", "/channels/new?kind=email", "/nothing")


@pytest.fixture
async def full(pool: Pool, address: str) -> str:
    """Something of everything, with words that do not break."""
    options = {"url": "http://127.0.0.1:9/"}
    shop = await add_monitor(pool, type="http", options=options, name=LONG, target=LONG, tags=[LONG[:50]])
    push = await add_push(pool, period_s=3600)
    await fetch(
        pool,
        "insert into pings (monitor_id, at, id, kind, method, remote, user_agent, body) "
        "values (%s, now(), gen_random_uuid(), 'success', 'POST', '2001:db8::1', %s, %s) returning 1",
        push, LONG, f"<img src=x onerror=alert(1)>{LONG}",
    )  # fmt: skip
    channel = await add_channel(pool, name=LONG[:100])
    await message(pool, channel, "failed", ("failed", LONG * 4), ("refused", "<img src=x onerror=alert(1)>"))
    await add_incident(pool, shop, message=LONG * 3, evidence={"headers": {LONG: LONG}, "body_sample": LONG})
    await fetch(pool, "insert into channel_groups (name, channel_ids) values (%s, '{1}') returning 1", LONG[:100])
    story = f"# {LONG}\n\n`{LONG}`\n\n    {LONG}\n\n[x](javascript:alert(1))"
    await fetch(pool, "update incidents set postmortem = %s returning 1", story)
    return address


@pytest.mark.parametrize(
    ("role", "looks"),
    [
        (Role.OWNER, (("light", PHONE), ("dark", WIDE), ("light", 320))),
        (Role.EDITOR, (("dark", PHONE),)),
        (Role.VIEWER, (("light", PHONE),)),
    ],
    ids=[Role.OWNER, Role.EDITOR, Role.VIEWER],
)
async def test_every_page_fits(
    chromium: Browser, full: str, app: Litestar, pool: Pool, role: Role, looks: Looks
) -> None:
    name = {Role.OWNER: "ada", Role.EDITOR: "bob", Role.VIEWER: "cyd"}[role]
    if role is not Role.OWNER:
        await person(pool, name, role)
    wrong = []
    refusals = set()
    async with visiting(chromium, full, color_scheme=looks[0][0], width=looks[0][1]) as visit:
        await visit.sign_in(name)
        for path in [*asked(app), *ALSO]:
            if any(part in path for part in NO_PAGE):
                continue
            answer = await visit.page.goto(path)
            if answer and answer.status >= 400:
                visit.complaints.clear()  # the browser says so
                if (refusal := TOKEN.sub("", await answer.text())) in refusals:
                    continue  # to the letter what was looked at before
                refusals.add(refusal)
            page = re.sub(r"[/?=]", "-", path.strip("/")) or "list"
            async for scheme, width in visit.looks(looks):
                if found := await visit.page.evaluate(WIDER):
                    wrong.append((path, scheme, width, found))
                await visit.shot(f"look/{role}-{scheme}-{width}-{page}")
    assert not wrong, "\n".join(map(str, wrong))
