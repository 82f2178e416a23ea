"""Asks for a web page or an API's answer, over HTTP/1.1 or HTTP/2, each time on a fresh connection.

The latency is the time from the start of the look-up to the arrival of the last answer's end, redirects and their
connections included. A token that has to be fetched before is not.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from pinguin.checks.conditions import Finding, judge, report
from pinguin.checks.contract import Context, Outcome
from pinguin.checks.engine.answer import what_came
from pinguin.checks.http.examples import EXAMPLES
from pinguin.checks.http.journey import Journey
from pinguin.checks.http.options import Options
from pinguin.checks.http.subjects import Seen, in_words
from pinguin.checks.verdict import soon_over, too_slow
from pinguin.errors import CheckFailed

__all__ = ["EXAMPLES", "TITLE", "Options", "check"]

TITLE = "Web page or API (HTTP)"

LONG = 2_000_000
"""Steps of some nanoseconds that judging an answer may take before it is done beside the event loop."""

MARGIN_S = 0.05


async def check(options: Options, context: Context) -> Outcome:
    journey = Journey(options, context)
    try:
        if options.upside_down:
            return await _upside_down(options, context, journey)
        return await _check(options, context, journey)
    except CheckFailed as failure:
        journey.scrubber.failure(failure)
        raise
    finally:
        if journey.scrubber:  # when the runner cuts the check off, too
            context.evidence.update(journey.scrubber.all(context.evidence))


async def _check(options: Options, context: Context, journey: Journey) -> Outcome:
    answer = await journey.to_the_end()
    latency = journey.watch.last_ms()
    try:
        seen = Seen(answer, latency, context, journey.chains, journey.target, journey.redirects)
        if options.effort == 1 or options.effort * answer.weight <= LONG:
            findings = judge(options.all_conditions, seen)
        else:
            findings = await _judge_aside(options, context, seen)
        degraded = report(findings, context.evidence, latency)
    except CheckFailed as failure:
        if journey.refusal and failure.reason == "status":
            failure.message += f" ({journey.refusal})"
        failure.evidence |= what_came(answer)
        raise
    if journey.chains and not degraded:
        links = [link for chain in journey.chains.values() for link in chain]
        degraded = soon_over(links, options.certificate_days)
    degraded = degraded or too_slow(latency, options.slow_ms)
    if degraded:
        degraded = degraded[0], journey.scrubber.text(degraded[1])
    return Outcome(latency, degraded=degraded)


async def _judge_aside(options: Options, context: Context, seen: Seen) -> list[Finding]:
    context.stage = "looking at the body"
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(context.resources.get(Readers).threads, judge, options.all_conditions, seen)


class Readers:
    """Two threads for what takes long: a costly condition holds up other costly ones, and nobody else. TRAP 19"""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="reader")

    def close(self) -> None:
        self.threads.shutdown(wait=False, cancel_futures=True)


async def _upside_down(options: Options, context: Context, journey: Journey) -> Outcome:
    """Down when the target answers as configured, up when it does not, for whatever reason of its own."""
    margin = min(MARGIN_S, context.timeout / 10)  # before the runner's own end, which would be down
    try:
        async with asyncio.timeout(context.timeout - margin) as bound:
            await _check(options, context, journey)
    except CheckFailed as failure:
        context.evidence |= failure.evidence
        context.evidence["upside_down"] = f"{failure.reason}: {failure.message}"
    except TimeoutError:
        if not bound.expired():
            raise
        context.evidence["upside_down"] = f"timeout: no answer within {context.timeout:g} s ({context.stage})"
    else:
        status = in_words(context.evidence["status_code"])
        message = f"answers as configured ({status}), and should not: the monitor is upside down"
        raise CheckFailed("answer", message, latency_ms=journey.watch.total_ms())
    return Outcome(journey.watch.total_ms())
