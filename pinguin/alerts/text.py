"""A message as plain text."""

from __future__ import annotations

from collections.abc import Iterator

from pinguin.alerts.sheet import Sheet


def plain(sheet: Sheet) -> str:
    return "\n".join(_lines(sheet)) + "\n"


def _lines(sheet: Sheet) -> Iterator[str]:
    yield sheet.title
    yield ""
    width = max((len(fact.label) for fact in sheet.facts), default=0) + 2
    for fact in sheet.facts:
        yield f"{fact.label + ':':<{width}}{fact.value}"
    for group in sheet.groups:
        yield ""
        yield group.heading
        yield from (f"- {line}" for line in group.lines)
    if sheet.more:
        yield f"and {sheet.more:,} more"
    if sheet.links:
        yield ""
        yield from (f"{link.label}: {link.url}" for link in sheet.links)
    yield ""
    yield f"-- \n{sheet.footer}"
