"""Every page, with data on it, as axe-core judges it: light and dark, on a wide screen and on a phone."""

from __future__ import annotations

import importlib.resources
from typing import Any

import pytest
from litestar import Litestar
from playwright.async_api import Browser, Page

from pinguin.db import Pool
from tests.browser.conftest import visiting
from tests.browser.test_dashboard import lived_in
from tests.factory import fetch
from tests.store.pushing import add_push
from tests.store.telling import add_channel, message
from tests.web.pages import asked

__all__ = ["lived_in"]

AXE = (importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text()
JUDGE = """async (only) => {
  // A rule's own impact is that of all it finds, so those of less need not run.
  const mild = axe._audit.rules.filter(rule => !["serious", "critical"].includes(rule.impact))
  const rules = Object.fromEntries(mild.map(rule => [rule.id, { enabled: false }]))
  const asked = only ? { runOnly: only } : { rules }
  const found = await axe.run(document, { resultTypes: ["violations"], selectors: false, preload: false, ...asked })
  return found.violations.filter(each => ["serious", "critical"].includes(each.impact)).map(each =>
    `${each.id}: ${each.help}: ` + each.nodes.slice(0, 3).map(node =>
      `${node.html.slice(0, 160)} (${node.any.concat(node.all).map(check => check.message).join("; ").slice(0, 200)})`
    ).join(" | "))
}"""
OF_COLOURS = ["color-contrast", "link-in-text-block"]
"""What can differ between light and dark: the style sheet changes nothing but colours there."""
LOOKS = (("light", 1280, None), ("dark", 1280, OF_COLOURS), ("light", 390, None), ("dark", 390, OF_COLOURS))
WRONG = """<!doctype html><html lang="en"><title>Wrong</title><main><h1>Wrong</h1><img src="data:,">
<p style="color: #888; background: #777">Who can read this?</p></main>"""
NO_PAGE = (".json", ".csv", "/live/", "/body", "/readyz", "/healthz", "/metrics", "/static", "/api", "/join", "/chart")


@pytest.fixture
async def furnished(lived_in: str, pool: Pool) -> str:
    """Something of everything, so that no page is empty."""
    await add_push(pool, period_s=3600)
    channel = await add_channel(pool)
    await message(pool, channel, "failed", ("failed", "no answer"), ("refused", "410 gone"))
    await fetch(pool, "insert into channel_groups (name, channel_ids) values ('On call', '{1}') returning 1")
    await fetch(
        pool, "update incidents set postmortem = %s where ended_at is not null returning 1", "# Why\n\n- `disk`"
    )
    return lived_in


def pages(app: Litestar) -> list[str]:
    """Pages of the app, fragments not; of forms each kind."""
    wanted = [path for path in asked(app) if not any(part in path for part in NO_PAGE)]
    wanted += [f"/monitors/new?type={name}" for name in app.state.web.types]
    wanted += [f"/channels/new?kind={name}" for name in app.state.web.kinds]
    wanted += ["/monitors/15", "/monitors/15/edit", "/monitors/15/pings", "/monitors?status=down"]
    wanted += ["/incidents?state=open", "/incidents/2"]
    return [*wanted, "/maintenance/new?kind=weekly", "/nothing-here"]


@pytest.mark.timeout(900)
async def test_no_page_has_a_serious_violation(chromium: Browser, furnished: str, app: Litestar) -> None:
    wrong: dict[str, list[str]] = {}
    async with visiting(chromium, furnished) as visit:
        await visit.sign_in()
        await visit.page.add_init_script(AXE)
        for path in pages(app):
            answer = await visit.page.goto(path)
            assert answer is not None
            assert answer.status < 500, path
            visit.complaints.clear()  # the browser complains of 404 pages
            for words, found in (await judged(visit.page)).items():
                wrong.setdefault(words, []).append(f"{path} ({', '.join(found)})")
    assert not wrong, "\n".join(f"{words}\n    on {'; '.join(where[:6])}" for words, where in wrong.items())


@pytest.mark.timeout(300)
async def test_pages_before_the_sign_in_have_no_serious_violation(chromium: Browser, address: str) -> None:
    async with visiting(chromium, address) as visit:
        for path in ("/sign-in", "/join?token=none"):
            await visit.page.goto(path)
            visit.complaints.clear()
            assert await judged(visit.page) == {}


async def test_what_is_wrong_is_found_in_each_look(chromium: Browser, address: str) -> None:
    async with visiting(chromium, address) as visit:
        await visit.page.set_content(WRONG)
        found = {words.partition(":")[0]: looks for words, looks in (await judged(visit.page)).items()}
    everywhere = ["light 1280", "dark 1280", "light 390", "dark 390"]
    assert found == {"color-contrast": everywhere, "image-alt": ["light 1280", "light 390"]}


async def judged(page: Page) -> dict[str, list[str]]:
    """What is wrong, and in which looks: all rules in light, in dark those that look at colours."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    found: dict[str, list[str]] = {}
    for scheme, width, rules in LOOKS:
        look: Any = {"color_scheme": scheme}
        await page.emulate_media(**look)
        await page.set_viewport_size({"width": width, "height": 900})
        for words in await page.evaluate(JUDGE, rules):
            found.setdefault(words, []).append(f"{scheme} {width}")
    return found
