"""The part of a monitor's form that says who is told of it, and of what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pinguin.errors import InvalidInput
from pinguin.fields import convert
from pinguin.fields import field as described
from pinguin.model import AlertRules, AlertStep, SlowRule
from pinguin.store.channels import Choice, Choices
from pinguin.web import forms

ALERT = "alerts."
"""Begins the name of every input of this part; without the input `alerts` all stays as it is stored."""
STEPS, MOST_STEPS = 4, 10
"""Steps that the form always has, and that it may have."""
MOST_DEPENDENCIES = 20
TOLD = ("default", "chosen", "nobody")

_Limit = Annotated[float, Meta(gt=0, le=300_000)]


class AlertFields(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What of `AlertRules` is a field; times in minutes, as people say them."""

    remind_every_min: Annotated[
        float,
        described(
            "Remind every", "While it is down and nobody has acknowledged it. 0: never.", unit="min", ge=0, le=10080
        ),
    ] = 0
    on_degraded: Annotated[bool, described("Tell when it is degraded", "It answers, but slowly or not well.")] = True
    on_unknown: Annotated[bool, described("Tell when it is unknown", "Nothing can be said of it.")] = False
    flap_outages: Annotated[
        int,
        described(
            "Flapping from", "So many are told as one, until it is stable. 0: never.", unit="outages", ge=0, le=100
        ),
    ] = 5
    flap_window_min: Annotated[float, described("Flapping within", "", unit="min", ge=1, le=1440)] = 60
    certificate_days: Annotated[
        list[int],
        described("Certificate and domain", "Days before the end on which to tell, one a line.", max_length=20),
    ] = msgspec.field(default_factory=lambda: list(AlertRules().certificate_days))
    slow_above_ms: Annotated[
        _Limit | None, described("Slow above", "Tell when the percentile is above it. Empty: never.", unit="ms")
    ] = None
    slow_percentile: Annotated[float, described("Slow percentile", "Of good checks' times.", ge=1, le=99.9)] = 95
    slow_window_min: Annotated[float, described("Slow over the last", "", unit="min", ge=1, le=1440)] = 15

    def __post_init__(self) -> None:
        if not all(0 <= day <= 365 for day in self.certificate_days):
            raise InvalidInput({"certificate_days": "must be days from 0 to 365"})

    @classmethod
    def of(cls, rules: AlertRules) -> AlertFields:
        slow = rules.slow_percentile
        return cls(
            remind_every_min=rules.remind_every_s / 60,
            on_degraded=rules.on_degraded,
            on_unknown=rules.on_unknown,
            flap_outages=rules.flap_outages,
            flap_window_min=rules.flap_window_s / 60,
            certificate_days=list(rules.certificate_days),
            slow_above_ms=slow.above_ms if slow else None,
            slow_percentile=slow.percentile if slow else 95,
            slow_window_min=slow.window_s / 60 if slow else 15,
        )

    def rules(self, steps: Sequence[AlertStep] | None) -> AlertRules:
        window_s = round(self.slow_window_min * 60)
        return AlertRules(
            steps=steps,
            remind_every_s=round(self.remind_every_min * 60),
            on_degraded=self.on_degraded,
            on_unknown=self.on_unknown,
            flap_outages=self.flap_outages,
            flap_window_s=round(self.flap_window_min * 60),
            certificate_days=tuple(sorted(set(self.certificate_days), reverse=True)),
            slow_percentile=SlowRule(self.slow_above_ms, self.slow_percentile, window_s)
            if self.slow_above_ms
            else None,
        )


@dataclass(frozen=True, slots=True)
class Known:
    """What rules may name, and what is stored. own: the monitor's id, once it has one."""

    choices: Choices
    alerts: Mapping[str, Any] = field(default_factory=dict)
    depends_on: Sequence[int] = ()
    own: int | None = None

    def labels(self) -> dict[str, int]:
        """What other monitors are called in the form: their names; with the number where two have the same."""
        others = {id: name for id, name in self.choices.monitors.items() if id != self.own}
        twice = Counter(others.values())
        return {f"{name} #{id}" if twice[name] > 1 else name: id for id, name in others.items()}


@dataclass(slots=True)
class Step:
    """One step as the form draws it. after: minutes, as typed. ticked: names of inputs."""

    place: int
    after: str = ""
    ticked: set[str] = field(default_factory=set)
    error: str = ""

    def name(self, part: str) -> str:
        return f"{ALERT}steps.{self.place}.{part}"


@dataclass(slots=True)
class AlertForm:
    """This part as the page draws it. depends_on: names as typed. errors: of told and depends_on."""

    known: Known
    fields: list[forms.Field]
    told: str
    steps: list[Step]
    depends_on: list[str]
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def wrong(self) -> bool:
        return bool(self.errors) or any(each.error for each in self.fields) or any(each.error for each in self.steps)

    @property
    def default_names(self) -> str:
        return ", ".join(each.name for each in self.known.choices.channels if each.marked and each.enabled)


def _input(choice: Choice) -> str:
    return f"{choice.kind}.{choice.id}"


def of(known: Known) -> AlertForm:
    """Filled in with what is stored."""
    errors = {}
    try:
        rules = msgspec.convert(dict(known.alerts), AlertRules)
    except msgspec.ValidationError as error:
        rules = AlertRules()
        errors["told"] = f"cannot be read as it is stored ({error}); what is saved here replaces it"
    drawn = forms.fields(AlertFields, ALERT)
    forms.fill(drawn, msgspec.structs.asdict(AlertFields.of(rules)))
    told = "default" if rules.steps is None else "chosen" if rules.steps else "nobody"
    labels = {id: label for label, id in known.labels().items()}
    depends_on = [labels[id] for id in known.depends_on if id in labels]
    return AlertForm(known, drawn, told, _steps(rules.steps or ()), _padded(depends_on), errors)


def _steps(stored: Sequence[AlertStep]) -> list[Step]:
    steps = [
        Step(
            place,
            f"{step.after_s / 60:g}",
            {f"channel.{id}" for id in step.channels} | {f"group.{id}" for id in step.groups},
        )
        for place, step in enumerate(stored)
    ]
    empty = [Step(place, "0" if place == 0 else "") for place in range(len(steps), max(STEPS, len(steps) + 1))]
    return (steps + empty)[: max(MOST_STEPS, len(steps))]


def _padded(names: list[str]) -> list[str]:
    return names + [""] * max(2, 3 - len(names))


def again(sent: Mapping[str, str], wrong: Mapping[str, str], known: Known) -> AlertForm:
    """What was sent, with every error beside its field."""
    if "alerts" not in sent:
        return of(known)
    drawn = forms.fields(AlertFields, ALERT)
    forms.fill_again(drawn, sent)
    own = {name.removeprefix(ALERT): words for name, words in wrong.items() if name.startswith(ALERT)}
    rest = forms.mark(drawn, own)
    steps = _sent_steps(sent, known)
    for step in steps:
        step.error = rest.pop(f"steps.{step.place}", "")
    depends_on = [name for name in _sent_dependencies(sent) if name]
    told = sent.get(ALERT + "told", "")
    return AlertForm(known, drawn, told if told in TOLD else "default", steps, _padded(depends_on), rest)


def _sent_steps(sent: Mapping[str, str], known: Known) -> list[Step]:
    inputs = [_input(each) for each in (*known.choices.channels, *known.choices.groups)]
    steps = []
    for place in range(MOST_STEPS):
        step = Step(place)
        step.after = forms.shown(sent.get(step.name("after"), ""))
        step.ticked = {name for name in inputs if step.name(name) in sent}
        if place < STEPS or step.after or step.ticked:
            steps.append(step)
    return steps


def _sent_dependencies(sent: Mapping[str, str]) -> Iterator[str]:
    return (forms.shown(sent.get(f"{ALERT}depends_on.{place}", "")).strip() for place in range(MOST_DEPENDENCIES + 2))


def read(sent: Mapping[str, str], known: Known) -> tuple[dict[str, Any], list[int]]:
    """What differs from the default rules, and on which monitors it depends.

    Raises `InvalidInput` with every wrong field, their names beginning with `ALERT`.
    """
    if "alerts" not in sent:
        return dict(known.alerts), list(known.depends_on)
    wrong: dict[str, str] = {}
    values, steps, depends_on = None, None, []
    try:
        values = convert(forms.read(forms.fields(AlertFields, ALERT), sent, {}), AlertFields)
    except InvalidInput as error:
        wrong |= error.fields
    try:
        steps = _read_steps(sent, known)
    except InvalidInput as error:
        wrong |= error.fields
    try:
        depends_on = _read_dependencies(sent, known)
    except InvalidInput as error:
        wrong |= error.fields
    if values is None or wrong:
        raise InvalidInput({ALERT + name: words for name, words in wrong.items()})
    return differing(values.rules(steps)), depends_on


def differing(rules: AlertRules) -> dict[str, Any]:
    """What differs from the default rules, in plain JSON types."""
    default = AlertRules()
    plain = msgspec.to_builtins(rules)
    return {name: value for name, value in plain.items() if getattr(rules, name) != getattr(default, name)}


def _read_steps(sent: Mapping[str, str], known: Known) -> list[AlertStep] | None:
    """The earliest first: that is who hears of everything else too."""
    told = sent.get(ALERT + "told", "default")
    if told == "default":
        return None
    if told == "nobody":
        return []
    if told != "chosen":
        raise InvalidInput({"told": f"must be one of {', '.join(TOLD)}"})
    wrong, found = {}, []
    for step in _sent_steps(sent, known):
        try:
            found += _read_step(step)
        except ValueError as error:
            wrong[f"steps.{step.place}"] = str(error)
    if not wrong and not found:
        wrong["steps.0"] = "tick at least one channel or group, or choose who is told otherwise"
    if wrong:
        raise InvalidInput(wrong)
    return sorted(found, key=lambda step: step.after_s)


def _read_step(step: Step) -> list[AlertStep]:
    after = step.after.strip()
    if not step.ticked:
        if step.place and after:
            raise ValueError(f"tick who is told after {after[:20]} minutes, or empty the minutes")
        return []
    if step.place and not after:
        raise ValueError("say after how many minutes")
    minutes = forms.number(after or "0")
    if not 0 <= minutes <= 10080:
        raise ValueError("minutes must be from 0 to 10080, which is a week")
    ids = {
        kind: sorted(int(name.partition(".")[2]) for name in step.ticked if name.startswith(kind))
        for kind in ("channel", "group")
    }
    return [AlertStep(round(minutes * 60), ids["channel"], ids["group"])]


def _read_dependencies(sent: Mapping[str, str], known: Known) -> list[int]:
    labels = known.labels()
    found = []
    for name in _sent_dependencies(sent):
        if name and name not in labels:
            raise InvalidInput({"depends_on": _unknown(name, known, labels)})
        if name:
            found.append(labels[name])
    if len(found) > MOST_DEPENDENCIES:
        raise InvalidInput({"depends_on": f"must be at most {MOST_DEPENDENCIES} monitors"})
    return list(dict.fromkeys(found))


def _unknown(name: str, known: Known, labels: Mapping[str, int]) -> str:
    if name == known.choices.monitors.get(known.own or 0):
        return "must not name the monitor itself"
    alike = [label for label in labels if name.lower() in label.lower()][:3]
    return f"{name[:60]!r} is no monitor" + (f"; did you mean {' or '.join(alike)}?" if alike else "")
