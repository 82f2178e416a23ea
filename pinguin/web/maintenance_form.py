"""The form of a maintenance: what it is called, when it is, and whom it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec

from pinguin import maintenance
from pinguin.errors import InvalidInput
from pinguin.maintenance import KINDS, NTHS, WEEKDAYS, AnyRule, Manual, Rule, Window
from pinguin.store.maintenance import Draft, Maintenance, wrong_fields
from pinguin.store.monitors import Listed
from pinguin.wallclock import zone_of
from pinguin.web import forms
from pinguin.web.forms import Field

TITLES: Mapping[str, str] = {
    "once": "Once",
    "weekly": "Weekly",
    "monthly": "Monthly, by date",
    "monthly_weekday": "Monthly, by weekday",
    "cron": "Cron",
    "manual": "By hand",
}
"""The kinds of rules, in the order in which the form offers them."""
MONITOR = "monitor."
"""Begins the name of each monitor's box."""
DAY = "day."
"""Begins the name of each weekday's box."""
_COUNTS = (("excluded", "leaves the windows out"), ("as_measured", "counts them like any other time"))


@dataclass(slots=True)
class Form:
    """A form as the page draws it. days: the weekdays that are ticked. chosen: monitors; found: more, to choose from.

    errors: of the weekdays and of the monitors. problems: what belongs to no field.
    """

    kind: str
    about: list[Field]
    schedule: list[Field]
    zone: Field
    tags: Field
    counts: Field
    everything: bool = False
    days: set[int] = field(default_factory=set)
    chosen: Sequence[Listed] = ()
    found: Sequence[Listed] = ()
    search: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def fields(self) -> list[Field]:
        return [*self.about, *self.schedule, self.zone, self.tags, self.counts]


_LIMITS = ("min", "max", "step", "maxlength", "list")


@dataclass(frozen=True, slots=True)
class Preview:
    """The next windows of a rule, or what keeps it from having any."""

    windows: Sequence[Window]
    zone: str
    wrong: Sequence[str] = ()


def _field(name: str, title: str, help: str = "", widget: str = "text", **given: Any) -> Field:
    attributes: dict[str, str | int | float] = {key: given.pop(key) for key in _LIMITS if key in given}
    given = {"required": False, "default": None, **given}
    return Field(key=name, name=name, title=title, help=help, widget=widget, attributes=attributes, **given)


def blank(kind: str, zone: str = "UTC") -> Form:
    """Raises `InvalidInput` where there is no such kind."""
    if kind not in TITLES:
        raise InvalidInput({"kind": f"{kind[:40]!r} is none; there are {', '.join(TITLES)}"})
    about = [
        _field("title", "Title", "What is done.", placeholder="Database upgrade", required=True, maxlength=200),
        _field("description", "Description", "For your colleagues.", "textarea"),
        _field("enabled", "On", "While it is off it has no windows.", "checkbox", checked=True),
    ]
    zone_help = "Wall-clock times are in this zone, over daylight-saving changes."
    return Form(
        kind=kind,
        about=about,
        schedule=_schedule(kind),
        zone=_field("zone", "Time zone", zone_help, required=True, value=zone, list="zones", maxlength=64),
        tags=_field("tags", "Tags", "One a line. For every monitor with one of them, also later ones.", "lines"),
        counts=_field("counts", "Uptime", widget="select", value="excluded", choices=_COUNTS, required=True),
    )


def _schedule(kind: str) -> list[Field]:
    length = [
        _field("hours", "Lasts", widget="number", unit="h", value="1", default="1", min=0, max=336, step=1),
        _field("minutes", "and", widget="number", unit="min", value="0", default="0", min=0, max=59, step=1),
    ]
    if kind == "manual":
        return [_field("now", "Start now", "Else start it later, from the list.", "checkbox"), *length]
    if kind == "once":
        return [
            _field("starts", "Starts", widget="datetime-local", required=True),
            _field("ends", "Ends", widget="datetime-local", required=True),
        ]
    at = _field("at", "At", "Wall-clock time.", "time", required=True, value="02:00")
    days = [(str(number), str(number)) for number in range(1, 32)]
    own = {
        "weekly": [at],
        "monthly": [
            _field(
                "day", "Day of the month", "A month without it has no window; the last day is always there.", "select",
                value="1", choices=[*days, ("-1", "the last")], required=True,
            ),
            at,
        ],
        "monthly_weekday": [
            _field("nth", "Which", "", "select", value="1", choices=[(str(n), name) for n, name in NTHS.items()]),
            _field("weekday", "Weekday", "", "select", value="7", choices=_weekdays()),
            at,
        ],
        "cron": [
            _field("expression", "Expression", _CRON, required=True, placeholder="0 2 * * 1-5", maxlength=100),
        ],
    }  # fmt: skip
    bounds = [
        _field("first_day", "From", "No window starts earlier.", "date"),
        _field("last_day", "Until", "No window starts later.", "date"),
    ]
    return [*own[kind], *length, *bounds]


_CRON = "Minute, hour, day of the month, month, day of the week; each match starts a window."


def _weekdays() -> list[tuple[str, str]]:
    return [(str(number), name) for number, name in enumerate(WEEKDAYS, 1)]


def of(found: Maintenance, kind: str | None = None) -> Form:
    """Filled in with `found`; its schedule too, unless another kind is wanted."""
    values: dict[str, Any] = maintenance.plain(found.rule) if found.rule else {"kind": "once"}
    form = blank(kind or values["kind"], found.zone)
    forms.fill(form.about, {"title": found.title, "description": found.description, "enabled": found.enabled})
    forms.fill([form.tags, form.counts], {"tags": found.tags, "counts": found.counts})
    form.everything = found.everything
    if form.kind == values["kind"]:
        form.days = set(values.get("days", ()))
        forms.fill(form.schedule, _typed_again(values))
    return form


def _typed_again(values: Mapping[str, Any]) -> dict[str, Any]:
    """A rule as its inputs hold it."""
    typed = {name: value for name, value in values.items() if name not in ("kind", "days", "duration_s")}
    for name in ("starts", "ends", "at"):
        if name in typed:
            typed[name] = typed[name].removesuffix(":00")
    if "duration_s" in values:
        typed["hours"], typed["minutes"] = divmod(values["duration_s"] // 60, 60)
    return typed


def again(sent: Mapping[str, str], wrong: Mapping[str, str] | None = None) -> Form:
    """What was sent, with every error beside its field. Raises `InvalidInput` where there is no such kind."""
    form = blank(sent.get("kind", ""))
    forms.fill_again(form.fields(), sent)
    form.days = _days(sent)
    form.everything = sent.get("scope") == "everything"
    form.search = sent.get("find", "")[:200].replace("\x00", "\ufffd")
    named = {("hours" if name == "duration" else name): words for name, words in (wrong or {}).items()}
    rest = forms.mark(form.fields(), named)
    form.errors = {name: rest.pop(name) for name in ("days", "monitors") if name in rest}
    form.problems = [f"{name}: {words}" for name, words in rest.items()]
    return form


def chosen(sent: Mapping[str, str]) -> list[int]:
    """The monitors whose boxes are ticked."""
    ids = (name.removeprefix(MONITOR) for name in sent if name.startswith(MONITOR))
    return sorted({int(each) for each in ids if each.isascii() and each.isdecimal() and len(each) < 19})


def parse(sent: Mapping[str, str]) -> Draft:
    """What was sent, strictly. Raises `InvalidInput` with every wrong field."""
    wrong: dict[str, str] = {}
    rule: Rule = Manual()
    try:
        rule = parse_rule(sent)
    except InvalidInput as error:
        wrong = error.fields
    everything = sent.get("scope") == "everything"
    counts: Any = sent.get("counts", "")
    tags = [line.strip() for line in sent.get("tags", "").splitlines() if line.strip()]
    draft = Draft(
        title=sent.get("title", "").strip(),
        description=sent.get("description", "").replace("\r\n", "\n").strip(),
        enabled="enabled" in sent,
        rule=rule,
        zone=sent.get("zone", "").strip(),
        counts=counts,
        everything=everything,
        tags=[] if everything else list(dict.fromkeys(tags)),
        monitor_ids=[] if everything else chosen(sent),
    )
    wrong = wrong_fields(draft) | wrong
    if wrong:
        raise InvalidInput(wrong)
    return draft


def parse_rule(sent: Mapping[str, str]) -> AnyRule:
    """Raises `InvalidInput`, by field."""
    kind = KINDS.get(sent.get("kind", ""))
    if kind is None:
        raise InvalidInput({"kind": f"is none; there are {', '.join(KINDS)}"})
    read = _Reader(sent)
    values: dict[str, Any] = {}
    for each in msgspec.structs.fields(kind):
        if each.name == "days":
            values["days"] = sorted(_days(sent))
        elif each.name == "duration_s":
            values["duration_s"] = 3600 * read.whole("hours") + 60 * read.whole("minutes")
        elif each.type is int:
            values[each.name] = read.whole(each.name)
        elif each.type is str:
            values[each.name] = sent.get(each.name, "").strip()
        elif each.type in (datetime, time):
            values[each.name] = read.moment(each.name, each.type)
        else:
            values[each.name] = read.day(each.name)
    if read.wrong:
        raise InvalidInput(read.wrong)
    rule: Any = kind(**values)
    return rule  # type: ignore[no-any-return]


def length(sent: Mapping[str, str]) -> timedelta:
    """For how long to start now. Raises `InvalidInput`."""
    read = _Reader(sent)
    seconds = 3600 * read.whole("hours") + 60 * read.whole("minutes")
    if read.wrong:
        raise InvalidInput(read.wrong)
    return timedelta(seconds=seconds)


def preview(sent: Mapping[str, str], now: datetime, most: int) -> Preview:
    """The next windows of what is typed, by the clock of this machine; what is saved is judged by the database's."""
    zone = sent.get("zone", "").strip()
    try:
        rule, there = parse_rule(sent), zone_of(zone)
        maintenance.check(rule, there, now)
    except InvalidInput as error:
        form = again(sent, error.fields)
        named = [f"{each.title} {each.error}" for each in form.fields() if each.error]
        return Preview(
            [],
            "UTC",
            wrong=[*named, *(f"{name.capitalize()} {words}" for name, words in form.errors.items()), *form.problems],
        )
    return Preview(maintenance.coming(rule, there, now, most), zone)


def _days(sent: Mapping[str, str]) -> set[int]:
    return {number for number in range(1, 8) if f"{DAY}{number}" in sent}


class _Reader:
    """Plain values from typed ones. wrong: what could not be read, by field."""

    def __init__(self, sent: Mapping[str, str]) -> None:
        self._sent = sent
        self.wrong: dict[str, str] = {}

    def whole(self, name: str) -> int:
        text = self._sent.get(name, "").strip() or "0"
        if not (text.removeprefix("-").isascii() and text.removeprefix("-").isdecimal() and len(text) < 9):
            self.wrong[name] = "must be a whole number"
            return 0
        return int(text)

    def moment(self, name: str, kind: type[datetime] | type[time]) -> datetime | time | None:
        text = self._sent.get(name, "").strip()
        example = "02:30" if kind is time else "2026-12-24T02:30"
        if not text:
            self.wrong[name] = "is required"
            return None
        try:
            return kind.fromisoformat(text)
        except ValueError:
            self.wrong[name] = f"must be written like {example}"
            return None

    def day(self, name: str) -> date | None:
        text = self._sent.get(name, "").strip()
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            self.wrong[name] = "must be written like 2026-12-24"
            return None
