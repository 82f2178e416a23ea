"""The form of a monitor: its own fields, and the options of its check type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from pinguin.checks.contract import CheckOptions, CheckType
from pinguin.errors import InvalidInput
from pinguin.fields import convert
from pinguin.fields import field as described
from pinguin.store.monitors import Draft, Monitor
from pinguin.web import alert_form, forms
from pinguin.web import saved as saved_secrets
from pinguin.web.alert_form import ALERT, AlertForm, Known
from pinguin.web.saved import Saved

OPTION = "options."
"""Begins the name of every input that belongs to the check type."""

_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


def offered(types: Mapping[str, CheckType]) -> dict[str, CheckType]:
    """The check types as people choose among them: first what most people watch, then by title."""
    return dict(sorted(types.items(), key=lambda each: (each[0] != "http", each[1].title.lower())))


class MonitorFields(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What every monitor has, whatever its type."""

    name: Annotated[str, described("Name", "What you call it.", placeholder="Shop", min_length=1, max_length=200)]
    interval_s: Annotated[int, described("Every", "From one check to the next.", unit="s", ge=1, le=86400)] = 60
    timeout_s: Annotated[
        float, described("Timeout", "A check that takes longer has failed.", unit="s", gt=0, le=300)
    ] = 10.0
    failure_threshold: Annotated[
        int, described("Down after", "Failed checks in a row.", unit="checks", ge=1, le=100)
    ] = 2
    recovery_threshold: Annotated[
        int, described("Up again after", "Good checks in a row.", unit="checks", ge=1, le=100)
    ] = 1
    tags: Annotated[
        list[str], described("Tags", "One a line, to search and filter by.", placeholder="production", max_length=20)
    ] = msgspec.field(default_factory=list)
    regions: Annotated[
        list[str],
        described(
            "Regions", "One a line: the workers that check it. `local` is the one that comes with Pinguin.",
            advanced=True, min_length=1, max_length=50,
        ),
    ] = msgspec.field(default_factory=lambda: ["local"])  # fmt: skip

    def __post_init__(self) -> None:
        wrong = {
            "timeout_s": self._wrong_timeout(),
            "regions": wrong_regions(self.regions),
            "tags": wrong_tags(self.tags),
        }
        found = {name: words for name, words in wrong.items() if words}
        if found:
            raise InvalidInput(found)

    def _wrong_timeout(self) -> str | None:
        """A check that ends when the next one begins would take that one's turn."""
        most = self.interval_s - 0.5
        if self.timeout_s <= most:
            return None
        return f"must be at most {most:g} s: half a second less than the {self.interval_s} s from check to check"


class PassiveFields(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a monitor has that is told, not checked."""

    name: Annotated[
        str, described("Name", "What you call it.", placeholder="Nightly backup", min_length=1, max_length=200)
    ]
    failure_threshold: Annotated[
        int, described("Down after", "Failed or missing runs in a row.", unit="runs", ge=1, le=100)
    ] = 1
    recovery_threshold: Annotated[
        int, described("Up again after", "Good runs in a row.", unit="runs", ge=1, le=100)
    ] = 1
    tags: Annotated[
        list[str], described("Tags", "One a line, to search and filter by.", placeholder="production", max_length=20)
    ] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        if wrong := wrong_tags(self.tags):
            raise InvalidInput({"tags": wrong})


Own = type[MonitorFields] | type[PassiveFields]


def _own(kind: CheckType) -> Own:
    return PassiveFields if kind.passive else MonitorFields


def wrong_tags(tags: list[str]) -> str | None:
    return next((f"{tag[:40]!r} is longer than 50 characters" for tag in tags if len(tag) > 50), None)


def wrong_regions(regions: list[str]) -> str | None:
    words = "must be lower-case letters, digits and hyphens"
    return next((f"{each[:40]!r} {words}" for each in regions if not _REGION.fullmatch(each)), None)


@dataclass(slots=True)
class Form:
    """A form as the page draws it. problems: what belongs to no single field."""

    kind: CheckType
    fields: list[forms.Field]
    options: list[forms.Field]
    alerts: AlertForm
    problems: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        return bool(self.problems) or self.alerts.wrong or any(each.error for each in (*self.fields, *self.options))


def blank(kind: CheckType, known: Known) -> Form:
    return Form(kind, forms.fields(_own(kind)), forms.fields(kind.options, OPTION), alert_form.of(known))


def of(monitor: Monitor, kind: CheckType, known: Known) -> Form:
    """Filled in with `monitor`; its options too, if it is of this type."""
    form = blank(kind, known)
    stored = {name: getattr(monitor, name) for name in _own(kind).__struct_fields__}
    forms.fill(form.fields, stored)
    if monitor.type == kind.name:
        forms.fill(form.options, monitor.options)
    return form


def again(kind: CheckType, sent: Mapping[str, str], wrong: InvalidInput | None, saved: Saved, known: Known) -> Form:
    """What was sent, with every error beside its field."""
    form = blank(kind, known)
    form.alerts = alert_form.again(sent, wrong.fields if wrong else {}, known)
    for each in form.options:
        each.saved = each.secret and saved.has(each.key)
    forms.fill_again([*form.fields, *form.options], sent)
    if wrong:
        own = {name: words for name, words in wrong.fields.items() if not name.startswith((OPTION, ALERT))}
        theirs = {name.removeprefix(OPTION): words for name, words in wrong.fields.items() if name.startswith(OPTION)}
        rest = forms.mark(form.fields, own) | forms.mark(form.options, theirs)
        form.problems = [f"{name}: {words}" for name, words in rest.items()]
    return form


def parse(kind: CheckType, sent: Mapping[str, str], saved: Saved, known: Known) -> tuple[Draft, CheckOptions]:
    """What was sent, strictly, with its secrets in plain: `saved.sealed` makes what may be stored of the draft.

    saved: the stored options, whose secrets are kept where none is typed and they go where they went before.

    Raises `InvalidInput` with every wrong field of all parts.
    """
    wrong: dict[str, str] = {}
    own: MonitorFields | PassiveFields | None = None
    options = None
    alerts: tuple[dict[str, Any], list[int]] = {}, []
    try:
        own = convert(forms.read(forms.fields(_own(kind)), sent, {}), _own(kind))
    except InvalidInput as error:
        wrong |= error.fields
    try:
        form = forms.fields(kind.options, OPTION)
        options = kind.parse(forms.read(form, sent, saved.plain))
        wrong |= {OPTION + name: words for name, words in saved_secrets.wrong(form, sent, options, saved).items()}
    except InvalidInput as error:
        wrong |= {OPTION + name: words for name, words in error.fields.items()}
    try:
        alerts = alert_form.read(sent, known)
    except InvalidInput as error:
        wrong |= error.fields
    if own is None or options is None or wrong:
        raise InvalidInput(wrong)
    return definition(kind, own, options, *alerts), options


def for_slug(kind: CheckType, slug: str) -> Draft:
    """The monitor that a ping makes: called by its slug, all else as it comes."""
    return definition(kind, PassiveFields(name=slug), kind.parse({"slug": slug}), {}, [])


def definition(
    kind: CheckType,
    own: MonitorFields | PassiveFields,
    options: CheckOptions,
    alerts: dict[str, Any],
    depends_on: list[int],
) -> Draft:
    values = msgspec.structs.asdict(own) | {"alerts": alerts, "depends_on": depends_on}
    if kind.passive:
        values |= {"interval_s": options.interval_s(), "timeout_s": 10.0, "regions": ["local"], "passive": True}
    values |= {name: list(dict.fromkeys(values[name])) for name in ("regions", "tags")}
    return Draft(type=kind.name, target=options.target(), options=msgspec.to_builtins(options), **values)
