"""A list that hears of a hundred results a second stays a page that one can use; a range of it is ticked at once."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from pinguin.db import Pool
from tests.browser.conftest import visiting
from tests.factory import add_monitor

COUNTING = """() => {
  window.asked = 0;
  const ask = Document.prototype.querySelectorAll;
  Document.prototype.querySelectorAll = function (selector) { window.asked++; return ask.call(this, selector); };
  window.formatters = 0;
  const Made = Intl.DateTimeFormat;
  Intl.DateTimeFormat = new Proxy(Made, { construct(to, given) { window.formatters++; return new to(...given); } });
}"""

NEWS = """(many) => new Promise((done) => {
  for (let each = 0; each < many; each++) {
    for (const name of ["htmx:oobAfterSwap", "htmx:afterSettle"]) {
      document.body.dispatchEvent(new CustomEvent(name, { bubbles: true, detail: {} }));
    }
  }
  requestAnimationFrame(() => requestAnimationFrame(() => done([window.asked, window.formatters])));
})"""


@pytest.fixture
async def monitors(pool: Pool) -> list[int]:
    return [await add_monitor(pool, name=f"monitor {number}") for number in range(5)]


async def test_a_hundred_fragments_cost_no_more_than_one(chromium: Browser, address: str, monitors: list[int]) -> None:
    """Each told all times of the page anew, with a formatter for each: seventy monitors stopped the browser."""
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        await visit.page.goto("/monitors")
        await expect(visit.page.locator("input.pick")).to_have_count(5)
        await visit.page.evaluate(COUNTING)
        looked, made = await visit.page.evaluate(NEWS, 100)
        assert 0 < looked < 50
        assert made == 0


async def test_a_range_is_ticked_and_unticked_with_shift(chromium: Browser, address: str, monitors: list[int]) -> None:
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        await visit.page.goto("/monitors")
        boxes, many = visit.page.locator("input.pick"), visit.page.locator("[data-many]")
        await expect(boxes).to_have_count(5)
        await expect(visit.page.locator("[data-page]")).to_be_attached()
        await boxes.nth(0).click()
        await boxes.nth(4).click(modifiers=["Shift"])
        await expect(many).to_have_text("5 ticked")
        await boxes.nth(1).click(modifiers=["Shift"])  # the one before is part of the range, below it or above
        await expect(many).to_have_text("1 ticked")
