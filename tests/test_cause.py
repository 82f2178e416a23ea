from __future__ import annotations

import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pinguin.cause import CHANCE, FEW, KINDS, Facts, Failure, Guess, Shared, guess

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def failures(ids: Sequence[int], *, seconds: Sequence[float] = (), reason: str = "") -> list[Failure]:
    spread = [*seconds, *[0.0] * len(ids)]
    return [Failure(each, NOON + timedelta(seconds=spread[n]), reason) for n, each in enumerate(ids)]


def shared(kind: str, value: str, ids: Sequence[int], of: int) -> Shared:
    return Shared(kind, value, frozenset(ids), of)


def words(found: Guess | None) -> str | None:
    return found.words if found else None


def test_a_host_that_went_away_with_all_on_it() -> None:
    ids = range(1, 13)
    facts = Facts(
        failures(ids, seconds=[0, 40]),
        [
            shared("host", "db1.example", ids, 12),
            shared("tag", "production", ids, 400),
            shared("region", "eu", ids, 900),
        ],
        1000,
    )
    found = guess(facts)
    assert words(found) == "12 of 12 monitors on host db1.example failed within 40 s; no other host did"
    assert found is not None
    assert found.monitor_ids == frozenset(ids)


def test_others_that_failed_and_some_that_did_not_are_counted() -> None:
    facts = Facts(failures(range(1, 15), seconds=[0, 300]), [shared("tag", "rack-4", range(1, 13), 15)], 500)
    assert words(guess(facts)) == "12 of 15 monitors tagged rack-4 failed within 5 min; 2 others did"


def test_two_on_one_of_many_hosts_are_telling_and_two_with_a_common_tag_are_not() -> None:
    pair = failures([1, 2])
    said = "2 of 2 monitors on host a.example failed in the same second; no other host did"
    assert words(guess(Facts(pair, [shared("host", "a.example", [1, 2], 2)], 100))) == said
    assert guess(Facts(pair, [shared("tag", "web", [1, 2], 20)], 100)) is None
    assert guess(Facts(pair, [shared("host", "a.example", [1, 2], 2)], 4)) is None


def test_of_traits_that_tell_the_same_the_nearest_to_the_cause_is_said() -> None:
    traits = [shared(kind, "x", [1, 2, 3], 3) for kind in KINDS]
    for left in range(len(traits)):
        rest = traits[left:]
        random.Random(left).shuffle(rest)
        found = guess(Facts(failures([1, 2, 3]), rest, 1000))
        assert found is not None
        assert list(KINDS.values())[left].who.format("x") in found.words


def test_a_trait_of_everything_tells_nothing() -> None:
    assert guess(Facts(failures([1, 2, 3, 4]), [shared("region", "local", [1, 2, 3, 4], 50)], 50)) is None


def test_when_everything_fails_it_says_just_that() -> None:
    facts = Facts(failures(range(30)), [shared("host", "one", range(20), 20)], 30)
    assert words(guess(facts)) == "all 30 monitors failed in the same second"
    assert guess(Facts(failures([1, 2]), [], 2)) is None


def test_without_a_common_trait_a_common_reason_is_said() -> None:
    said = "all 3 that failed within 7 s did for the same reason: the name did not resolve"
    assert words(guess(Facts(failures([1, 2, 3], seconds=[0, 7], reason="dns"), [], 100))) == said
    assert guess(Facts(failures([1, 2], reason="dns"), [], 100)) is None
    mixed = failures([1, 2, 3], reason="dns") + failures([4], reason="timeout")
    assert guess(Facts(mixed, [], 100)) is None


def test_a_monitor_counts_once_and_from_its_first_failure() -> None:
    twice = failures([1, 2], seconds=[0, 10]) + failures([2], seconds=[300])
    found = guess(Facts(twice, [shared("host", "h", [1, 2], 2)], 100))
    assert words(found) == "2 of 2 monitors on host h failed within 10 s; no other host did"


def test_a_value_stays_in_its_line() -> None:
    found = guess(Facts(failures([1, 2, 3]), [shared("host", "a\nSubject: b" + "x" * 500, [1, 2, 3], 3)], 1000))
    assert found is not None
    assert "\n" not in found.words
    assert len(found.words) < 200


@st.composite
def situations(draw: st.DrawFn) -> Facts:
    total = draw(st.integers(1, 300))
    failed = draw(st.lists(st.integers(1, total), max_size=40))
    seconds = draw(st.lists(st.floats(0, 600), max_size=40))
    traits = []
    for number in range(draw(st.integers(0, 8))):
        having = draw(st.sets(st.sampled_from(failed))) if failed else set()
        of = draw(st.integers(len(having), total)) if draw(st.booleans()) else len(having)
        traits.append(shared(draw(st.sampled_from(list(KINDS))), f"v{number}", list(having), of))
    reason = draw(st.sampled_from(["", "dns", "timeout"]))
    return Facts(failures(failed, seconds=seconds, reason=reason), traits, total)


@given(situations())
def test_what_it_says_is_so(facts: Facts) -> None:
    found = guess(facts)
    failed = {each.monitor_id for each in facts.failures}
    if found is None:
        return
    assert len(failed) >= 2
    assert found.monitor_ids <= failed
    assert 2 * len(found.monitor_ids) >= len(failed)
    if counted := re.match(r"(\d+) of (\d+) monitors ", found.words):
        have, of = map(int, counted.groups())
        named = re.search(r"\b(v\d+)\b", found.words)
        assert named is not None
        trait = next(each for each in facts.shared if each.value == named[1])
        assert (have, of) == (len(trait.monitor_ids), trait.of) == (len(found.monitor_ids), trait.of)
        others = len(failed) - have
        assert found.words.endswith(f"{others} other{'s' if others > 1 else ''} did" if others else " did")
        assert (" no " in found.words) == (others == 0)
    else:
        assert found.words.startswith(f"all {len(failed)} ")
        assert len(failed) >= FEW


@given(situations(), st.randoms(use_true_random=False))
def test_the_order_of_the_facts_does_not_matter(facts: Facts, dice: random.Random) -> None:
    failed, traits = list(facts.failures), list(facts.shared)
    dice.shuffle(failed)
    dice.shuffle(traits)
    assert guess(Facts(failed, traits, facts.monitors)) == guess(facts)


@given(situations(), st.integers(1, 5000))
def test_monitors_that_stay_up_make_a_guess_no_weaker(facts: Facts, healthy: int) -> None:
    found = guess(facts)
    more = guess(Facts(facts.failures, facts.shared, facts.monitors + healthy))
    if found is not None and " of " in found.words:
        assert more is not None


@given(st.integers(2, 60), st.integers(200, 3000), st.data())
def test_a_planted_cause_is_found_among_noise(size: int, total: int, data: st.DataObject) -> None:
    ids = range(1, size + 1)
    traits = [shared("host", "planted", ids, size)]
    for number in range(data.draw(st.integers(0, 5))):
        some = data.draw(st.sets(st.sampled_from(ids), min_size=1))
        traits.append(shared("tag", f"noise{number}", list(some), data.draw(st.integers(len(some) + size, total))))
    found = guess(Facts(failures(ids), traits, total))
    assert found is not None
    assert "planted" in found.words


def test_blind_chance_is_hardly_ever_taken_for_a_cause() -> None:
    """Tags given and monitors failed at random: a guess at most as often as it is allowed to be wrong."""
    dice, said, tries = random.Random(7), 0, 400
    for _ in range(tries):
        tags = {n: set(dice.sample(range(200), dice.randint(2, 60))) for n in range(12)}
        failed = set(dice.sample(range(200), dice.randint(2, 25)))
        traits = [
            shared("tag", str(n), list(ids & failed), len(ids)) for n, ids in tags.items() if len(ids & failed) > 1
        ]
        said += guess(Facts(failures(sorted(failed)), traits, 200)) is not None
    assert said <= tries * CHANCE
