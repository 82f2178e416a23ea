from __future__ import annotations

import asyncio

from litestar import Litestar

from pinguin.db import Pool
from pinguin.web.asked import Asked
from pinguin.web.list_news import ListNews
from pinguin.web.shown import Shown
from tests.factory import add_monitor, set_status
from tests.web.conftest import Statements


async def test_many_pages_cost_the_statements_of_one(app: Litestar, pool: Pool, statements: Statements) -> None:
    lists: ListNews = app.state.web.lists
    ids = [await add_monitor(pool, name=f"m{number}") for number in range(3)]
    statements.count = 0
    alone = await lists.text(Shown(Asked()), ids)
    spent, statements.count = statements.count, 0
    answers = await asyncio.gather(*(lists.text(Shown(Asked()), ids[: 1 + number % 3]) for number in range(30)))
    assert statements.count == spent
    assert answers[2] == alone
    assert [answer.count('data-monitor="') for answer in answers[:3]] == [1, 2, 3]


async def test_each_page_is_told_what_it_asked_for(app: Litestar, pool: Pool) -> None:
    lists: ListNews = app.state.web.lists
    shop, mail = await add_monitor(pool, name="shop", tags=["a"]), await add_monitor(pool, name="mail")
    await set_status(pool, shop, "down", "timeout")
    whole, narrowed = await asyncio.gather(
        lists.text(Shown(Asked()), [shop, mail]), lists.text(Shown(Asked(tags=("a",))), [shop])
    )
    assert "1 of 2 monitors is down" in whole
    assert "<b>2</b> all" in whole
    assert "<b>1</b> that match" in narrowed
    assert f'data-monitor="{mail}"' not in narrowed


async def test_who_polls_does_not_wait_for_others(app: Litestar, pool: Pool) -> None:
    lists: ListNews = app.state.web.lists
    monitor = await add_monitor(pool, name="shop")
    assert f'data-monitor="{monitor}"' in await lists.text(Shown(Asked()), [monitor, 999], at_once=True)
