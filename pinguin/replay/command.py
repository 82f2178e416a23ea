"""`pinguin replay`: which incidents and alerts there would have been with other thresholds, beside those that were."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from pinguin.check_command.printing import printable
from pinguin.db import Connection, connection, make_pool
from pinguin.embedded.attach import attached
from pinguin.errors import InvalidInput
from pinguin.model import AlertRules
from pinguin.replay.history import History, Outage, Thresholds
from pinguin.replay.telling import tell
from pinguin.settings import Settings
from pinguin.store import replay as store
from pinguin.store.replay import Incident, Watched

BAD_OPTIONS = 2
NO_RESULTS = 3

ABOUT = """\
Runs a monitor's stored results through the state machine once more, with other thresholds, and prints the incidents and
alerts that there would have been beside those that were. Nothing is changed.

Alerts that would have been are those of the monitor's present rules: nobody acknowledges, and no channel is quiet.
"""
EPILOG = "The exit code is 0, 2 for bad options, 3 where there are no results in that time."

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison: an outage that was, one that would have been, or both that overlap."""

    was: Incident | None
    would_be: Outage | None

    @property
    def began(self) -> datetime:
        return min(each.started_at for each in (self.was, self.would_be) if each is not None)


async def replay(settings: Settings, words: Sequence[str]) -> int:
    """words: what stands behind `pinguin replay`. Raises `Unavailable`."""
    arguments = parser().parse_args(words)
    try:
        since, until = _span(arguments)
        async with make_pool(attached(settings).database_url, 1) as pool, connection(pool) as conn:
            monitor = await _monitor(conn, arguments.monitor)
            history = await _played(conn, monitor, since, until, arguments)
            were = await store.incidents(conn, monitor.id, since, until)
    except InvalidInput as wrong:
        for name, message in wrong.fields.items():
            print(f"pinguin replay: {name}: {printable(message)}", file=sys.stderr)
        return BAD_OPTIONS
    if not history.results:
        print(f"pinguin replay: {printable(monitor.name)} has no results from {since} to {until}", file=sys.stderr)
        return NO_RESULTS
    if arguments.json:
        print(json.dumps(_plain(monitor, history, were, since, until), ensure_ascii=False, default=_iso))
    else:
        print("\n".join(_table(monitor, history, were, since, until)))
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="pinguin replay",
        description=ABOUT,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("monitor", metavar="MONITOR", help="its number or its name")
    for name, words in (("failure", "failed checks in a row that make it down"), ("recovery", "good ones that end it")):
        made.add_argument(f"--{name}-threshold", type=_threshold, metavar="N", help=f"{words} (default: as they were)")
    made.add_argument("--since", default="30d", metavar="WHEN", help="a time (UTC) or how long ago: 12h, 30d (default)")
    made.add_argument("--until", metavar="WHEN", help="the same (default: now)")
    made.add_argument("--json", action="store_true", help="print JSON")
    return made


def _threshold(words: str) -> int:
    if not words.isascii() or not words.isdigit() or not 1 <= int(words) <= 100:
        raise argparse.ArgumentTypeError("must be from 1 to 100")
    return int(words)


def _span(arguments: argparse.Namespace) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    until = _moment("--until", arguments.until, now) if arguments.until else now
    since = _moment("--since", arguments.since, now)
    if since >= until:
        raise InvalidInput({"--since": "must be before --until"})
    return since, until


def _moment(option: str, words: str, now: datetime) -> datetime:
    ago = re.fullmatch(r"(\d{1,5})([mhd])", words)
    try:
        if ago:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(words)
    except (ValueError, OverflowError):
        wanted = "a time like 2026-10-01 or 2026-10-01T12:00, or how long ago, like 90m, 12h or 30d"
        raise InvalidInput({option: f"{words[:40]!r} is not {wanted}"}) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


async def _monitor(conn: Connection, wanted: str) -> Watched:
    found = await store.find(conn, wanted)
    live = [monitor for monitor in found if not monitor.archived] or found
    exact = [monitor for monitor in live if str(monitor.id) == wanted] or live
    if not exact:
        raise InvalidInput({"MONITOR": f"there is no monitor {wanted[:100]!r}; give its number or its whole name"})
    if len(exact) > 1:
        numbers = ", ".join(str(monitor.id) for monitor in exact)
        raise InvalidInput({"MONITOR": f"{wanted[:100]!r} is the name of several; give a number: {numbers}"})
    return exact[0]


async def _played(
    conn: Connection, monitor: Watched, since: datetime, until: datetime, arguments: argparse.Namespace
) -> History:
    history = History(
        await store.beginning(conn, monitor.id, since),
        await store.versions(conn, monitor),
        await store.acts(conn, monitor.id, since, until),
        Thresholds(arguments.failure_threshold, arguments.recovery_threshold),
    )
    async for page in store.results(conn, monitor.id, since, until):
        history.add(page)
    history.end(until)
    moments = [outage.confirmed_at for outage in history.outages]
    maintained = dict(zip(moments, await store.maintenance(conn, monitor.id, moments), strict=True))
    tell(history.outages, msgspec.convert(monitor.alerts, AlertRules), maintained)
    return history


def compared(were: Sequence[Incident], would_be: Sequence[Outage]) -> list[Row]:
    """Outages side by side where they overlap, each once, in the order of their beginnings."""
    rows, rest = [], list(would_be)
    for incident in were:
        match = next((outage for outage in rest if _overlap(incident, outage)), None)
        if match:
            rest.remove(match)
        rows.append(Row(incident, match))
    return sorted([*rows, *(Row(None, outage) for outage in rest)], key=lambda row: row.began)


def _overlap(one: Incident | Outage, other: Incident | Outage) -> bool:
    first, second = sorted((one, other), key=lambda each: each.started_at)
    return first.ended_at is None or second.started_at <= first.ended_at


def _plain(
    monitor: Watched, history: History, were: Sequence[Incident], since: datetime, until: datetime
) -> dict[str, Any]:
    return {
        "monitor": {"id": monitor.id, "name": monitor.name},
        "since": since,
        "until": until,
        "results": history.results,
        "incidents": [
            {"was": row.was and asdict(row.was), "would_be": row.would_be and asdict(row.would_be)}
            for row in compared(were, history.outages)
        ],
    }


def _iso(value: datetime) -> str:
    return value.isoformat()


def _table(
    monitor: Watched, history: History, were: Sequence[Incident], since: datetime, until: datetime
) -> Iterator[str]:
    span = f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC"
    results = f"{history.results:,} result{'' if history.results == 1 else 's'}"
    yield f"{printable(monitor.name)} ({monitor.id}), {results}, {span}\n"
    rows: list[tuple[str, ...]] = [("", "began", "lasted", "told", "would have lasted", "would have told", "reason")]
    rows += [_line(row) for row in compared(were, history.outages)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    if len(rows) > 1:
        for row in rows:
            yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield ""
    told = sum(len(incident.told) for incident in were)
    would = sum(len(outage.told) for outage in history.outages)
    yield f"it was:          {_count(len(were), 'incident')}, {_count(told, 'alert')}"
    yield f"would have been: {_count(len(history.outages), 'incident')}, {_count(would, 'alert')}"


def _line(row: Row) -> tuple[str, ...]:
    mark = "=" if row.was and row.would_be else "-" if row.was else "+"
    either = row.was or row.would_be
    reason = either.reason if either else ""
    return mark, f"{row.began:%Y-%m-%d %H:%M:%S}", *_cells(row.was), *_cells(row.would_be), printable(reason)


def _cells(outage: Incident | Outage | None) -> tuple[str, str]:
    if outage is None:
        return "-", "-"
    return _lasted(outage), _news(outage.told) or "nobody"


def _lasted(outage: Incident | Outage) -> str:
    if outage.ended_at is None:
        return "not over"
    seconds = round((outage.ended_at - outage.started_at).total_seconds())
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{seconds} s" if seconds else ""]
    return " ".join(part for part in parts if part) or "0 s"


def _news(kinds: Sequence[str]) -> str:
    """`down, 3 reminder, up`."""
    counts = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    return ", ".join(kind if number == 1 else f"{number} {kind}" for kind, number in counts.items())


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
