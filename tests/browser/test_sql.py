"""Somebody who knows SQL asks: a written question, an error, an answer, a download; light, dark and on a phone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from pinguin.db import Pool
from tests.browser.conftest import PHONE, Visit, visiting
from tests.browser.test_axe import judged
from tests.factory import fetch
from tests.store.test_answers import Past, lived

PATIENT = 30_000


@pytest.fixture
async def past(pool: Pool, address: str) -> Past:
    return await lived(pool)


async def ask(visit: Visit, question: str) -> None:
    await visit.page.fill("#sql", question)
    await visit.page.keyboard.press("Control+Enter")


async def test_a_written_question_is_one_click_away(chromium: Browser, address: str, pool: Pool, past: Past) -> None:
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        await visit.page.goto("/")
        await visit.page.click("nav[aria-label=Pages] >> text=SQL")
        await expect(visit.page.locator("h2", has_text="What is down now")).to_be_visible(timeout=PATIENT)
        await visit.page.click("text=The longest outages")
        await expect(visit.page.locator("header h2").first).to_have_text("The longest outages", timeout=PATIENT)
        await visit.page.click("button.primary")
        await expect(visit.page.locator("#answer")).to_have_text("12 rows", timeout=PATIENT)
        longest = max(end - start for name in past.ids for start, end in past.outages(name))
        row = visit.page.locator("section.answer tbody tr").first
        await expect(row).to_contain_text(str(longest).rjust(8, "0"))
        assert await visit.page.input_value("#sql") != ""
        await visit.shot("sql-answer-light")
        assert await judged(visit.page) == {}
    [(asked,)] = await fetch(pool, "select changes -> 'question' ->> 'to' from audit where action = 'sql.ask'")
    assert asked.startswith("-- The longest outages")


async def test_an_error_is_marked_and_mended(chromium: Browser, address: str, past: Past) -> None:
    async with visiting(chromium, address, color_scheme="dark") as visit:
        visit.complaints = Refusals()
        await visit.sign_in()
        await visit.page.goto("/sql")
        await ask(visit, "select name, latency\nfrom history.results r\njoin history.monitors m on m.id = r.monitor_id")
        await expect(visit.page.locator("#sql-error")).to_contain_text(
            'Column "latency" does not exist.', timeout=PATIENT
        )
        await expect(visit.page.locator("#sql-error mark")).to_have_text("latency")
        await visit.shot("sql-error-dark")
        assert await judged(visit.page) == {}
        question = "select m.name, r.scheduled_at, r.status, r.latency_ms, r.message\nfrom history.results r\n"
        question += "join history.monitors m on m.id = r.monitor_id\norder by r.scheduled_at desc, m.name"
        await ask(visit, question)
        await expect(visit.page.locator("#answer")).to_have_text("1 000 rows, and there are more", timeout=PATIENT)
        await visit.shot("sql-answer-dark")


async def test_an_answer_is_downloaded(chromium: Browser, address: str, past: Past) -> None:
    async with visiting(chromium, address, accept_downloads=True) as visit:
        await visit.sign_in()
        await visit.page.goto(
            f"/sql?question=uptime&monitor={past.ids['db']}&from={past.began.date()}&to={past.ended.date()}"
        )
        async with visit.page.expect_download(timeout=PATIENT) as downloading:
            await visit.page.click("button[formaction='/sql/answer.json']")
        download = await downloading.value
        assert download.suggested_filename == "pinguin-answer.json"
        [row] = json.loads(Path(await download.path()).read_text())
        since, until = (each.replace(hour=0) for each in (past.began, past.ended))
        watched = until - past.began
        assert row["name"] == "db"
        wanted = 100 * (1 - past.down_s("db", since, until) / watched.total_seconds())
        assert row["uptime_percent"] == pytest.approx(wanted, abs=1e-4)


async def test_on_a_phone(chromium: Browser, address: str, past: Past) -> None:
    async with visiting(chromium, address, width=PHONE) as visit:
        await visit.sign_in()
        await visit.page.goto("/sql?question=flapping")
        await visit.page.click("button.primary")
        await expect(visit.page.locator("#answer")).to_be_visible(timeout=PATIENT)
        await visit.page.click("summary >> text=history.results_hourly")
        async for scheme, _ in visit.looks((("light", PHONE), ("dark", PHONE))):
            await visit.shot(f"sql-phone-{scheme}")
            assert await visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await judged(visit.page) == {}


class Refusals(list[str]):
    """Browsers say of each 400 that it is one; anything else still counts."""

    def append(self, words: str) -> None:
        if "status of 400" not in words:
            super().append(words)
