"""Sends ICMP echo requests and counts the replies.

The latency is the mean round trip of the replies. Where this machine does not let the worker send pings, the result
is unknown: it says nothing about the target.
"""

from __future__ import annotations

import asyncio
import math
from time import perf_counter
from typing import Annotated

from pinguin.checks.common import Host, IpVersion
from pinguin.checks.contract import CheckOptions, Context, Outcome
from pinguin.checks.counting import counted
from pinguin.checks.engine.deadlines import Deadlines
from pinguin.checks.engine.dial import find
from pinguin.checks.engine.icmp import EchoSocket, Pinger, icmp_permission
from pinguin.checks.engine.resolve import Address
from pinguin.checks.engine.stopwatch import Stopwatch, in_words
from pinguin.checks.engine.volley import Volley
from pinguin.checks.verdict import too_slow, wrong_host
from pinguin.errors import CheckFailed, InvalidInput
from pinguin.fields import Examples, field

__all__ = ["TITLE", "Options", "check", "icmp_permission"]

TITLE = "Ping (ICMP)"

EXAMPLES: Examples = [
    ("Three packets.", {"host": "example.org"}),
    (
        "Ten over IPv6, of which one may be lost; degraded above 80 ms on average.",
        {
            "host": "example.org",
            "count": 10,
            "interval_ms": 200,
            "max_loss_percent": 10,
            "slow_ms": 80,
            "ip_version": "6",
        },
    ),
]


class Options(CheckOptions, frozen=True):
    host: Host
    count: Annotated[int, field("Packets", "How many to send.", ge=1, le=100)] = 3
    interval_ms: Annotated[
        int,
        field(
            "Time between packets",
            "Less where they would not all leave within the first half of the timeout.",
            unit="ms",
            advanced=True,
            ge=1,
            le=10_000,
        ),
    ] = 100
    max_loss_percent: Annotated[
        int, field("Tolerated loss", "More lost packets than this are down.", unit="%", ge=0, le=99)
    ] = 0
    slow_ms: Annotated[
        int, field("Slow above", "A longer mean round trip is degraded. 0 is no limit.", unit="ms", ge=0, le=600_000)
    ] = 0
    max_jitter_ms: Annotated[
        int,
        field(
            "Jitter above",
            "Round trips that spread more (standard deviation) are degraded. 0 is no limit.",
            unit="ms",
            advanced=True,
            ge=0,
            le=60_000,
        ),
    ] = 0
    size: Annotated[int, field("Packet size", "Without the headers.", unit="bytes", advanced=True, ge=8, le=65000)] = 56
    ip_version: IpVersion = "any"

    def __post_init__(self) -> None:
        wrong = wrong_host(self.host)
        if wrong:
            raise InvalidInput({"host": wrong})

    def target(self) -> str:
        return self.host


async def check(options: Options, context: Context) -> Outcome:
    watch = Stopwatch(context)
    address = (await find(options.host, 0, options.ip_version, context, watch))[0]
    context.evidence["address"] = address.ip
    watch.stage(f"waiting for replies from {address.ip}")
    echoes = context.resources.get(Pinger).of(address.family)
    trips = await _send_all(echoes, address, options, watch, context.resources.get(Deadlines))
    context.evidence.update(_facts(trips, options.count))
    _judge(trips, address, options, context.timeout)
    latency = _mean(trips)
    return Outcome(latency, degraded=too_slow(latency, options.slow_ms) or _too_uneven(trips, options.max_jitter_ms))


async def _send_all(
    echoes: EchoSocket, address: Address, options: Options, watch: Stopwatch, deadlines: Deadlines
) -> list[float]:
    """The round trips of the replies, in milliseconds. Raises CheckFailed where a router says that there is no way."""
    # Ends a little before the monitor's timeout: lost packets are our finding, with figures, and no mere timeout.
    budget = watch.seconds_left() * 0.9
    started = perf_counter()
    spacing = min(options.interval_ms / 1000, budget / 2 / options.count)
    volley = Volley()
    try:
        for number in range(options.count):
            if number:
                await volley.settled(spacing, asyncio.get_running_loop())
                await asyncio.sleep(started + spacing * number - perf_counter())
            echoes.request(volley, address, options.size)
        await volley.settled(started + budget - perf_counter(), deadlines)
        return volley.trips
    finally:
        echoes.forget(volley)


def _mean(trips: list[float]) -> float:
    return sum(trips) / len(trips)


def _jitter(trips: list[float]) -> float:
    """Their standard deviation. statistics.pstdev, which is exact to the last bit, costs more than the ping."""
    mean = _mean(trips)
    return math.sqrt(sum([(trip - mean) ** 2 for trip in trips]) / len(trips))


def _too_uneven(trips: list[float], max_jitter_ms: int) -> tuple[str, str] | None:
    if not max_jitter_ms or (jitter := _jitter(trips)) <= max_jitter_ms:
        return None
    return ("slow", f"the round trips spread by {in_words(jitter)}, more than {in_words(max_jitter_ms)}")


def _facts(trips: list[float], sent: int) -> dict[str, float]:
    facts: dict[str, float] = {"sent": sent, "received": len(trips), "loss_percent": _loss(trips, sent)}
    if len(trips) > 1:  # of one, the latency says it all
        facts["min_ms"], facts["max_ms"] = round(min(trips), 3), round(max(trips), 3)
        facts["avg_ms"], facts["jitter_ms"] = round(_mean(trips), 3), round(_jitter(trips), 3)
    return facts


def _judge(trips: list[float], address: Address, options: Options, timeout: float) -> None:
    sent, loss = options.count, _loss(trips, options.count)
    if not trips:
        raise CheckFailed("timeout", f"no reply from {address.ip} to {counted(sent, 'ping')} within {timeout:g} s")
    if loss > options.max_loss_percent:
        lost = sent - len(trips)
        message = (
            f"{lost} of {counted(sent, 'ping')} to {address.ip} {'was' if lost == 1 else 'were'} lost ({loss:g} %)"
        )
        raise CheckFailed("packet_loss", message, latency_ms=_mean(trips))


def _loss(trips: list[float], sent: int) -> float:
    return round(100 * (sent - len(trips)) / sent, 1)
