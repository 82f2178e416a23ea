"""The account itself: it sees what is lost, doubled and false, and forgives only what is excused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from pinguin.db import Pool
from pinguin.model import Result, Status
from pinguin.worker.recorder import record
from tests.chaos.account import ACCOUNT, EDGE, Account, Trial, table
from tests.factory import EPOCH, add_monitor, fetch, result

SLOTS = range(20)
DOWN = Status.DOWN


def at(second: float) -> datetime:
    return EPOCH + timedelta(seconds=second)


@pytest.fixture
async def shop(pool: Pool) -> int:
    return await add_monitor(pool, interval_s=1, timeout_s=1, failure_threshold=1)


def history(monitor: int, missing: Sequence[int] = (), down: Sequence[int] = ()) -> list[Result]:
    return [result(monitor, n, DOWN if n in down else Status.UP) for n in SLOTS if n not in missing]


async def account(pool: Pool, monitor: int, connections: int = len(SLOTS), **given: Any) -> Account:
    await fetch(pool, "update results set recorded_at = scheduled_at + interval '0.1 s' returning 1")
    arguments = {
        "start": at(-0.05),
        "end": at(len(SLOTS) - 0.05),
        "connections": Jsonb({str(monitor): connections}),
        "excuses": Jsonb([]),
        "reruns": 0,
        "overlaps": 0,
        "drops": 0,
        "story": [],
        "edge": EDGE,
        "dark_start": None,
        "dark_end": None,
    }
    async with pool.connection() as conn:
        row = await (await conn.execute(ACCOUNT, arguments | given)).fetchone()
    assert row is not None
    return Account(*row)


def complaints(found: Account) -> list[str]:
    return Trial("fault", 0, found).complaints


def excuse(start: float, end: float, monitors: list[int] | None = None) -> Jsonb:
    return Jsonb([{"start": at(start).isoformat(), "end": at(end).isoformat(), "monitors": monitors}])


async def test_all_is_well(pool: Pool, shop: int) -> None:
    await record(pool, [result(shop, -1), *history(shop)])
    found = await account(pool, shop)
    assert (found.expected, found.stored, found.started_s, found.recorded_s) == (20, 20, 0, 0.1)
    assert complaints(found) == []
    assert len(list(table([Trial("fault", 0, found)]))) == 2


async def test_a_lost_slot_is_seen_unless_it_is_excused(pool: Pool, shop: int) -> None:
    await record(pool, [result(shop, -1), *history(shop, missing=[5])])
    found = await account(pool, shop, connections=19)
    assert complaints(found) == ["1 results lost", "5 s: 1 lost"]
    assert complaints(await account(pool, shop, 19, excuses=excuse(5, 6))) == []
    assert complaints(await account(pool, shop, 19, excuses=excuse(5, 6, [shop]))) == []
    assert complaints(await account(pool, shop, 19, excuses=excuse(5, 6, [shop + 1]))) != []
    assert complaints(await account(pool, shop, 19, excuses=excuse(6, 7))) != []


async def test_a_slot_that_was_passed_over_and_counted_is_held_not_lost(pool: Pool, shop: int) -> None:
    """As the result of the second before was not committed yet."""
    await record(pool, [result(shop, -1), *history(shop, missing=[5])])
    found = await account(pool, shop, 19, overlaps=1, drops=1)
    assert (complaints(found), found.lost, found.held) == ([], 0, 1)
    found = await account(pool, shop, 19)
    assert (complaints(found), found.held) == (["1 results lost", "5 s: 1 lost"], 0)


async def test_what_is_excused_may_have_been_what_was_counted(pool: Pool, shop: int) -> None:
    await record(pool, [result(shop, -1), *history(shop, missing=[5, 9])])
    assert (await account(pool, shop, 18, overlaps=2, drops=2, excuses=excuse(5, 6))).held == 1
    assert (await account(pool, shop, 18, overlaps=1, drops=1, excuses=excuse(5, 6))).lost == 1
    assert (await account(pool, shop, 18, overlaps=1, drops=2, excuses=excuse(5, 6))).held == 1


@pytest.mark.parametrize("missing", [[5, 6], [5, 9], [0], [19]])
async def test_a_second_one_and_what_is_at_the_edge_is_lost_though_it_was_counted(
    pool: Pool, shop: int, missing: list[int]
) -> None:
    await record(pool, [result(shop, -1), *history(shop, missing=missing)])
    assert (await account(pool, shop, 18, overlaps=99, drops=99)).lost == len(missing)


@pytest.mark.parametrize(("missing", "held"), [([5, 9], 2), ([5, 6], 0), ([3, 5, 9], 0)])
async def test_where_all_change_at_once_one_slot_a_change_may_be_held(
    pool: Pool, shop: int, missing: list[int], held: int
) -> None:
    """The commits of these moments write incidents of every monitor."""
    await record(pool, [result(shop, -1), *history(shop, missing=missing)])
    counted = {"overlaps": 99, "drops": 99, "story": ["down", "up"]}
    found = await account(pool, shop, 20 - len(missing), **counted)
    assert (found.held, found.lost) == (held, len(missing) - held)
    assert (await account(pool, shop, 20 - len(missing), **counted | {"overlaps": 0})).lost == len(missing)


async def test_a_monitor_of_two_seconds_is_never_held(pool: Pool) -> None:
    shop = await add_monitor(pool, interval_s=2, timeout_s=1, failure_threshold=1)
    ((phase,),) = await fetch(pool, "select slot_phase(%s, 2)", shop)
    await record(pool, [result(shop, second) for second in range(phase - 2, 20, 2) if second != 6 + phase])
    found = await account(pool, shop, 9, overlaps=99, drops=99)
    assert (found.expected, found.lost, found.held) == (10, 1, 0)


async def test_what_was_lost_is_told_with_what_was_counted_meanwhile(pool: Pool, shop: int) -> None:
    await record(pool, [result(shop, -1), *history(shop, missing=[5, 6])])
    found = await account(pool, shop, 18, overlaps=2, drops=2)
    counted = {"missed": 0, "overlapping": 2}
    assert Trial("fault", 0, found, counted=counted).complaints[-1] == "counted meanwhile: 2 overlapping"


async def test_a_check_that_ran_twice_is_seen_unless_it_was_handed_out_again(pool: Pool, shop: int) -> None:
    await record(pool, [result(shop, -1), *history(shop)])
    assert complaints(await account(pool, shop, connections=22)) == ["2 checks doubled"]
    found = await account(pool, shop, connections=22, reruns=2)
    assert (complaints(found), found.reruns) == ([], 2)


async def test_a_false_transition_is_seen_and_so_is_a_missing_one(pool: Pool, shop: int) -> None:
    await record(pool, [result(shop, -1), *history(shop, down=[7, 8])])
    assert complaints(await account(pool, shop)) == [
        "2 transitions that should not be",
        "2 results that say otherwise than the target did",
    ]
    dark: dict[str, Any] = {"dark_start": at(7), "dark_end": at(8)}
    assert complaints(await account(pool, shop, story=["down", "up"], **dark)) == []
    assert complaints(await account(pool, shop, story=["down"], **dark)) == ["2 transitions that should not be"]
    await fetch(
        pool, "update transitions set at = at + interval '2 s' where to_status = 'up' and at > %s returning 1", at(7)
    )
    assert complaints(await account(pool, shop, story=["down", "up"], **dark)) == ["1 transitions that should not be"]


async def test_a_result_that_saw_a_dead_target_alive_is_seen(pool: Pool, shop: int) -> None:
    await record(pool, [result(shop, -1), *history(shop)])
    found = await account(pool, shop, dark_start=at(6.5), dark_end=at(9.5))
    assert complaints(found) == ["3 results that say otherwise than the target did"]


async def test_unknown_is_right_where_nothing_was_known_and_excused(pool: Pool, shop: int) -> None:
    await record(pool, [result(shop, -1), *history(shop, missing=range(5, 12))])
    found = await account(pool, shop, 13, excuses=excuse(5, 12))
    assert (complaints(found), found.quiet, found.forgiven) == ([], 1, 7)
    assert "2 transitions that should not be" in complaints(await account(pool, shop, 13))
