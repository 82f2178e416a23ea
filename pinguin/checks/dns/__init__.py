"""Asks name servers for a name's records, and compares them with those that are expected.

The latency is the time until the answer, a second question over TCP included where the first answer was cut off.
"""

from __future__ import annotations

from pinguin.checks.contract import Context, Outcome
from pinguin.checks.dns.answer import check_code, findings, read
from pinguin.checks.dns.asking import Asking
from pinguin.checks.dns.examples import EXAMPLES
from pinguin.checks.dns.options import Options
from pinguin.checks.engine.stopwatch import Stopwatch
from pinguin.checks.findings import conclude
from pinguin.checks.verdict import too_slow

__all__ = ["EXAMPLES", "TITLE", "Options", "check"]

TITLE = "DNS record"


async def check(options: Options, context: Context) -> Outcome:
    watch = Stopwatch(context)
    ask = Asking(options, context, watch)
    answer = await ask.first_answer()
    watch.done("dns")
    latency = watch.total_ms()
    wanted = options.wanted()
    found = read(answer, wanted)
    context.evidence.update(found.facts())
    check_code(found, wanted, latency)
    looked_at = list(findings(found, wanted))
    if options.compare_with and not any(each.reason for each in looked_at):
        looked_at.append(await ask.others(found, wanted))
    degraded = conclude(looked_at, context.evidence, latency)
    return Outcome(latency, degraded=degraded or too_slow(latency, options.slow_ms))
