"""The form of a channel: its own fields, quiet hours, templates, and the options of its kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any
from zoneinfo import available_timezones

import msgspec

from pinguin.alerts.contract import PLACE, ChannelOptions, ChannelType
from pinguin.alerts.render import check
from pinguin.errors import InvalidInput, SealBroken
from pinguin.fields import convert
from pinguin.fields import field as described
from pinguin.secrets import PREFIX, Keys
from pinguin.store.channels import Channel, Draft
from pinguin.web import forms
from pinguin.web import saved as saved_secrets

OPTION = "options."
"""Begins the name of every input that belongs to the kind."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
TEMPLATES = ("subject_template", "body_template")
QUIET = ("quiet_from", "quiet_to", "quiet_zone")

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class ChannelFields(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What every channel has, whatever its kind."""

    name: Annotated[str, described("Name", "What you call it.", placeholder="On call", min_length=1, max_length=100)]
    is_default: Annotated[
        bool, described("Default channel", "Told of every monitor that does not choose its own channels.")
    ] = False
    per_minute: Annotated[
        int,
        described(
            "At most", "What waits longer becomes one message with a list.", unit="messages a minute", ge=1, le=600
        ),
    ] = 10
    quiet_from: Annotated[str, described("Quiet from", "As 22:00. Empty: never quiet.", placeholder="22:00")] = ""
    quiet_to: Annotated[
        str, described("Until", "If that is earlier, on the next day. The same time: a whole day.", placeholder="07:00")
    ] = ""
    quiet_zone: Annotated[str, described("In the time zone", "", placeholder="Europe/Berlin", max_length=64)] = ""
    subject_template: Annotated[
        str, described("Subject", "Empty: Pinguin's own words.", placeholder="{{ subject }}", max_length=2000)
    ] = ""
    body_template: Annotated[
        str,
        described("Text", "Empty: Pinguin's own words.", widget="textarea", placeholder="{{ text }}", max_length=16000),
    ] = ""

    def __post_init__(self) -> None:
        wrong = {
            name: "must be a time such as 22:00"
            for name in ("quiet_from", "quiet_to")
            if getattr(self, name) and not _TIME.fullmatch(getattr(self, name))
        }
        if self.quiet_from or self.quiet_to:
            wrong |= {name: "is needed for quiet hours" for name in QUIET if not getattr(self, name)}
        if self.quiet_zone and self.quiet_zone not in zones():
            wrong["quiet_zone"] = f"{self.quiet_zone[:40]!r} is no time zone; use one like Europe/Berlin"
        if wrong:
            raise InvalidInput(wrong)


@cache
def zones() -> Sequence[str]:
    """The names of the time zones."""
    return sorted(name for name in available_timezones() if "/" in name or name == "UTC")


@dataclass(frozen=True, slots=True)
class Saved:
    """Stored options. sealed: as they are stored. plain: unsealed; without the secrets where they do not open."""

    sealed: Mapping[str, Any] = field(default_factory=dict)
    plain: Mapping[str, Any] = field(default_factory=dict)
    broken: str = ""


NOTHING = Saved()


def opened(channel: Channel, kind: ChannelType, keys: Keys) -> Saved:
    """Of another kind, nothing: its options mean something else."""
    if channel.kind != kind.name:
        return NOTHING
    try:
        return Saved(channel.options, keys.unseal_fields(channel.options, kind.options, PLACE))
    except SealBroken as error:
        secret = {each.key for each in forms.fields(kind.options) if each.secret}
        plain = {name: value for name, value in channel.options.items() if name not in secret}
        return Saved(channel.options, plain, str(error))


@dataclass(slots=True)
class Form:
    """A form as the page draws it. days: on which quiet hours begin. problems: what belongs to no single field."""

    kind: ChannelType
    fields: list[forms.Field]
    options: list[forms.Field]
    days: set[int] = field(default_factory=lambda: set(range(1, 8)))
    wrong_days: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        marked = any(each.error for each in (*self.fields, *self.options))
        return marked or bool(self.problems or self.wrong_days)

    def field(self, key: str) -> forms.Field:
        return next(each for each in self.fields if each.key == key)


def blank(kind: ChannelType) -> Form:
    form = Form(kind, forms.fields(ChannelFields), forms.fields(kind.options, OPTION))
    form.field("quiet_zone").attributes["list"] = "zones"
    return form


def first(kind: ChannelType, others: bool) -> Form:
    """The empty form; the first channel there is becomes a default one, unless somebody does not want it."""
    form = blank(kind)
    form.field("is_default").checked = not others
    return form


def of(channel: Channel, kind: ChannelType, saved: Saved) -> Form:
    """Filled in with `channel`; its options too, if it is of this kind."""
    form = blank(kind)
    stored = {name: getattr(channel, name) for name in ChannelFields.__struct_fields__}
    forms.fill(form.fields, {name: "" if value is None else value for name, value in stored.items()})
    forms.fill(form.options, saved.plain)
    form.days = set(channel.quiet_days)
    return form


def again(kind: ChannelType, sent: Mapping[str, str], wrong: InvalidInput | None, saved: Saved) -> Form:
    """What was sent, with every error beside its field."""
    form = blank(kind)
    for each in form.options:
        each.saved = each.secret and bool(saved.plain.get(each.key))
    forms.fill_again([*form.fields, *form.options], sent)
    form.days = _days(sent)
    if wrong:
        own = {name: words for name, words in wrong.fields.items() if not name.startswith(OPTION)}
        theirs = {name.removeprefix(OPTION): words for name, words in wrong.fields.items() if name.startswith(OPTION)}
        form.wrong_days = own.pop("quiet_days", "")
        rest = forms.mark(form.fields, own) | forms.mark(form.options, theirs)
        form.problems = [f"{name}: {words}" for name, words in rest.items()]
    return form


def _days(sent: Mapping[str, str]) -> set[int]:
    return {day for day in range(1, 8) if f"quiet_days.{day}" in sent}


@dataclass(frozen=True, slots=True)
class Read:
    """What was sent, strictly: good to be tried, and to be kept once it is sealed."""

    kind: ChannelType
    own: ChannelFields
    options: ChannelOptions
    days: Sequence[int]

    @property
    def plain(self) -> dict[str, Any]:
        """The options with their secrets."""
        found = msgspec.to_builtins(self.options)
        assert isinstance(found, dict)
        return found

    def draft(self, keys: Keys, saved: Saved) -> Draft:
        """Sealed; what did not change stays as it was sealed. Raises `InvalidInput` where there is no key."""
        plain = self.plain
        kept = {
            name: saved.sealed[name] for name in plain if name in saved.sealed and plain[name] == saved.plain.get(name)
        }
        try:
            sealed = keys.seal_fields({**plain, **kept}, self.kind.options, PLACE)
        except InvalidInput as error:
            raise InvalidInput({OPTION + name: words for name, words in error.fields.items()}) from None
        values = msgspec.structs.asdict(self.own)
        values |= {name: values[name] or None for name in (*TEMPLATES, *QUIET)}
        if not self.own.quiet_from:
            values["quiet_zone"] = None
        return Draft(kind=self.kind.name, options=sealed, quiet_days=self.days, **values)


def parse(kind: ChannelType, sent: Mapping[str, str], saved: Saved) -> Read:
    """Raises `InvalidInput` with every wrong field of all parts."""
    return together(
        kind,
        lambda: forms.read(forms.fields(ChannelFields), sent, {}),
        lambda: forms.read(forms.fields(kind.options, OPTION), sent, saved.plain),
        _days(sent),
        sent,
        saved,
    )


Values = Callable[[], Mapping[str, Any]]


def together(
    kind: ChannelType, own_values: Values, option_values: Values, days: set[int], said: Mapping[str, str], saved: Saved
) -> Read:
    """A channel from plain values, however they were sent. days: on which quiet hours begin. said: which options were
    given, by the names of their inputs: a secret that is not is kept.

    Raises `InvalidInput` with every wrong field of all parts.
    """
    wrong: dict[str, str] = {}
    own, options = None, None
    try:
        own = convert(own_values(), ChannelFields)
        wrong |= _wrong_templates(own) | _wrong_days(own, days)
    except InvalidInput as error:
        wrong |= error.fields
    try:
        options = kind.parse(option_values())
    except InvalidInput as error:
        wrong |= {OPTION + name: words for name, words in error.fields.items()}
    if options is not None:
        wrong |= _wrong_secrets(kind, options) | _elsewhere(kind, said, options, saved)
    if own is None or options is None or wrong:
        raise InvalidInput(wrong)
    return Read(kind, own, options, sorted(days) or range(1, 8))


def _elsewhere(kind: ChannelType, sent: Mapping[str, str], options: ChannelOptions, saved: Saved) -> dict[str, str]:
    """Saved secrets that were to be kept, and would go to another place than before, or do not open."""
    lost = {name: saved_secrets.UNOPENED for name in saved.sealed.keys() - saved.plain.keys() if saved.sealed[name]}
    kept = saved_secrets.Saved(saved.plain, lost, saved_secrets.goes_to(saved.plain, kind.options))
    found = saved_secrets.wrong(forms.fields(kind.options, OPTION), sent, options, kept)
    return {OPTION + name: words for name, words in found.items()}


def _wrong_secrets(kind: ChannelType, options: ChannelOptions) -> dict[str, str]:
    """What looks as if it were sealed would be kept as it is, and never open."""
    secret = [each for each in forms.fields(kind.options, OPTION) if each.secret]
    looks = {each.name: msgspec.json.encode(getattr(options, each.key)) for each in secret}
    return {name: f"must not have {PREFIX} in it" for name, text in looks.items() if PREFIX.encode() in text}


def _wrong_templates(own: ChannelFields) -> dict[str, str]:
    wrong: dict[str, str] = {}
    for name in TEMPLATES:
        try:
            check(getattr(own, name), name)
        except InvalidInput as error:
            wrong |= error.fields
    return wrong


def _wrong_days(own: ChannelFields, days: set[int]) -> dict[str, str]:
    if own.quiet_from and not days:
        return {"quiet_days": "must be one day at least, or there are no quiet hours"}
    if own.quiet_from and own.quiet_from == own.quiet_to and len(days) == len(DAYS):
        return {"quiet_days": "must leave a day out: else it is always quiet, and nothing is ever told"}
    return {}
