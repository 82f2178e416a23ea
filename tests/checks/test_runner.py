from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import pytest
from structlog.testing import capture_logs

from pinguin.checks.contract import CheckOptions, CheckType, Context, Outcome, Resources
from pinguin.checks.evidence import MAX_BYTES, bounded
from pinguin.checks.runner import Report, run
from pinguin.errors import CheckFailed, CheckImpossible
from pinguin.model import Status


class Options(CheckOptions, frozen=True):
    password: str = "hunter2"

    def target(self) -> str:
        return "here"


async def run_with(check: Any, timeout: float = 1.0) -> Report:
    resources = Resources()
    try:
        return await run(CheckType("fake", "Fake", Options, check, ""), Options(), timeout, resources)
    finally:
        resources.close()


async def test_an_answer_is_up_and_carries_what_was_seen() -> None:
    async def check(options: Options, context: Context) -> Outcome:
        return Outcome(12.5, phases={"connect": 3.0}, evidence={"address": "127.0.0.1:1"})

    report = await run_with(check)

    assert report == Report(Status.UP, None, None, 12.5, {"connect": 3.0}, {"address": "127.0.0.1:1"})


async def test_an_answer_that_is_not_well_is_degraded() -> None:
    async def check(options: Options, context: Context) -> Outcome:
        return Outcome(1, degraded=("slow", "took 2 s"))

    report = await run_with(check)

    assert (report.status, report.reason, report.message) == (Status.DEGRADED, "slow", "took 2 s")


async def test_a_failure_is_down_and_keeps_the_phases_that_were_reached() -> None:
    async def check(options: Options, context: Context) -> Outcome:
        context.phases["connect"] = 2.0
        raise CheckFailed("status", "answered 503", evidence={"status_code": 503}, latency_ms=7)

    report = await run_with(check)

    assert (report.status, report.reason, report.latency_ms) == (Status.DOWN, "status", 7)
    assert report.phases == {"connect": 2.0}
    assert report.evidence == {"status_code": 503}


async def test_our_own_inability_is_unknown_and_never_down() -> None:
    async def check(options: Options, context: Context) -> Outcome:
        raise CheckImpossible("permission", "no right to ping")

    report = await run_with(check)

    assert (report.status, report.reason, report.message) == (Status.UNKNOWN, "permission", "no right to ping")


async def test_a_check_that_never_ends_is_down_within_its_timeout() -> None:  # TRAP 1
    async def check(options: Options, context: Context) -> Outcome:
        context.phases["connect"] = 3.2
        context.stage = "waiting for the first byte"
        await asyncio.sleep(60)
        raise AssertionError

    took: list[float] = []
    while len(took) < 5 and min(took, default=1.0) >= 0.5:  # this machine may be busy in some tries
        started = asyncio.get_running_loop().time()
        report = await run_with(check, timeout=0.1)
        took.append(asyncio.get_running_loop().time() - started)

    assert min(took) < 0.5
    assert (report.status, report.reason, report.latency_ms) == (Status.DOWN, "timeout", None)
    assert report.message == "no answer within 0.1 s (connected after 3 ms, waiting for the first byte)"


async def test_a_timeout_of_the_socket_itself_is_not_taken_for_ours() -> None:
    async def check(options: Options, context: Context) -> Outcome:
        raise TimeoutError(110, "Connection timed out")

    assert (await run_with(check)).reason == "internal"


async def test_a_crash_is_unknown_and_is_logged_without_any_value() -> None:  # TRAP 24
    async def check(options: Options, context: Context) -> Outcome:
        raise ValueError(f"bad password {options.password}")

    with capture_logs() as logs:
        report = await run_with(check)

    assert (report.status, report.reason) == (Status.UNKNOWN, "internal")
    assert "ValueError" in str(report.message)
    assert logs[0]["check_type"] == "fake"
    assert "test_runner.py" in logs[0]["frames"]
    assert "hunter2" not in repr(logs) + repr(report)


async def test_a_cancelled_run_is_cancelled() -> None:
    async def check(options: Options, context: Context) -> Outcome:
        await asyncio.sleep(60)
        raise AssertionError

    task = asyncio.create_task(run_with(check))
    await asyncio.sleep(0.01)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(("given", "kept"), [(0.0, 0.001), (-3.0, 0.001), (math.nan, None), (5.0, 5.0)])
async def test_latency_is_above_zero_or_absent(given: float, kept: float | None) -> None:
    async def check(options: Options, context: Context) -> Outcome:
        return Outcome(given)

    assert (await run_with(check)).latency_ms == kept


async def test_unknown_phases_are_left_out() -> None:
    async def check(options: Options, context: Context) -> Outcome:
        return Outcome(1, phases={"connect": -0.1, "party": 2.0})

    assert (await run_with(check)).phases == {"connect": 0.0}


def test_evidence_is_plain_json_that_postgres_takes() -> None:
    evidence = bounded(
        {"nul": "a\x00b", "half": "\ud800", "bytes": b"\xff\x00", "nan": math.nan, "odd": {1, 2}, "big": 10**30}
    )

    assert json.loads(json.dumps(evidence, allow_nan=False)) == evidence
    assert "\\u0000" not in json.dumps(evidence)
    json.dumps(evidence, ensure_ascii=False).encode("utf-8")


def test_evidence_is_bounded_however_large_or_deep_it_was() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"in": deep}
    for evidence in ({"a": "é" * 100_000}, {"list": ["x" * 900] * 1000}, deep, {str(n): n for n in range(9999)}):
        assert len(json.dumps(bounded(evidence), ensure_ascii=False).encode()) <= MAX_BYTES + 1000


def test_options_show_no_value_when_they_are_printed() -> None:  # TRAP 24
    assert "hunter2" not in repr(Options()) + str(Options())
