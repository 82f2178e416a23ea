"""What a program writes of a monitor, read as strictly as the form, into the same draft."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pinguin.checks.contract import CheckOptions, CheckType
from pinguin.db import Connection
from pinguin.errors import InvalidInput
from pinguin.fields import convert
from pinguin.model import AlertRules, AlertStep
from pinguin.secrets import secret_fields
from pinguin.store import channels
from pinguin.store.channels import Choices
from pinguin.store.monitors import Draft, Monitor
from pinguin.web import forms, monitor_form
from pinguin.web import saved as saved_secrets
from pinguin.web.alert_form import MOST_DEPENDENCIES, MOST_STEPS, differing
from pinguin.web.api.paging import Id
from pinguin.web.api.reading import Body
from pinguin.web.monitor_form import MonitorFields, PassiveFields
from pinguin.web.saved import Saved

T = TypeVar("T")

NOT_PASSIVE = {"interval_s", "timeout_s", "regions"}
"""What a monitor that is told has none of."""


class _Rest(Body, frozen=True):
    """What a monitor has beside its own fields."""

    type: Annotated[str, Meta(description="a check type, such as http; /check-types has them all")] = "http"
    options: Annotated[
        dict[str, Any],
        Meta(
            description="as the type has them: /check-types/{type} has their schema. "
            "Of what is stored, a secret that is left out is kept"
        ),
    ] = msgspec.field(default_factory=dict)
    alerts: Annotated[AlertRules, Meta(description="who is told, of what and when")] = msgspec.field(
        default_factory=AlertRules
    )
    depends_on: Annotated[
        list[Id], Meta(max_length=MOST_DEPENDENCIES, description="while one of these is down, nothing is told of this")
    ] = msgspec.field(default_factory=list)
    enabled: Annotated[bool | UnsetType, Meta(description="false: paused. Left out, it stays as it is")] = UNSET


class MonitorDefinition(MonitorFields, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What people write of a monitor. Push monitors have no interval, no timeout and no regions: their options say
    when a ping is expected. Without a timeout, one that the interval leaves no room for ends half a second before it.
    """

    type: Annotated[str, Meta(description="a check type, such as http; /check-types has them all")] = "http"
    options: Annotated[dict[str, Any], Meta(description="as the type has them; see /check-types/{type}")] = (
        msgspec.field(default_factory=dict)
    )
    alerts: AlertRules = msgspec.field(default_factory=AlertRules)
    depends_on: Annotated[list[Id], Meta(max_length=MOST_DEPENDENCIES)] = msgspec.field(default_factory=list)
    enabled: bool | UnsetType = UNSET


def kind_of(types: Mapping[str, CheckType], name: Any) -> CheckType:
    if not isinstance(name, str) or name not in types:
        raise InvalidInput({"type": f"must be one of {', '.join(types)}"})
    return types[name]


def read(kind: CheckType, sent: Mapping[str, Any], saved: Saved) -> tuple[Draft, CheckOptions, bool | None]:
    """The draft with its secrets in plain, its options, and whether it is on (None: not said).

    saved: the stored options of the same type. Raises `InvalidInput` with every wrong field of all parts.
    """
    wrong: dict[str, str] = {}

    def attempt(act: Callable[[], T]) -> T | None:
        try:
            return act()
        except InvalidInput as error:
            wrong.update({name: words for name, words in error.fields.items() if name not in wrong})
            return None

    attempt(lambda: _refuse_unknown(kind, sent))
    own_kind: Any = PassiveFields if kind.passive else MonitorFields
    names = own_kind.__struct_fields__
    given = {**_timeout(sent), **sent}
    own = attempt(lambda: convert({name: given[name] for name in names if name in given}, own_kind))
    rest = attempt(lambda: convert({name: sent[name] for name in _Rest.__struct_fields__ if name in sent}, _Rest))
    alerts = attempt(lambda: alerting(rest.alerts)) if rest else None
    options = attempt(lambda: _options(kind, rest.options, saved)) if rest else None
    if wrong or own is None or rest is None or options is None or alerts is None:
        raise InvalidInput(wrong)
    draft = monitor_form.definition(kind, own, options, alerts, list(dict.fromkeys(rest.depends_on)))
    return draft, options, None if rest.enabled is UNSET else bool(rest.enabled)


def _timeout(sent: Mapping[str, Any]) -> dict[str, float]:
    """The timeout of whoever names a short interval alone: the usual one would be longer."""
    interval_s = sent.get("interval_s")
    return {"timeout_s": interval_s - 0.5} if isinstance(interval_s, int) and 1 <= interval_s <= 10 else {}


def _refuse_unknown(kind: CheckType, sent: Mapping[str, Any]) -> None:
    known = MonitorDefinition.__struct_fields__
    wrong = {name[:60]: f"is not a field of a monitor; there are {', '.join(known)}" for name in sent.keys() - known}
    if kind.passive:
        not_here = NOT_PASSIVE & sent.keys()
        wrong |= dict.fromkeys(not_here, f"is not for {kind.title}: its options say when a ping is expected")
    if wrong:
        raise InvalidInput(wrong)


def _options(kind: CheckType, sent: Mapping[str, Any], saved: Saved) -> CheckOptions:
    secret = secret_fields(kind.options)
    removed = {name for name in secret & sent.keys() if not sent[name]}
    kept = {name: value for name, value in saved.plain.items() if name in secret and name not in sent}
    try:
        options = kind.parse({**{name: value for name, value in sent.items() if name not in removed}, **kept})
        form = forms.fields(kind.options)
        said = {name + (forms.REMOVE if name in removed else ""): "said" for name in sent}
        if wrong := saved_secrets.wrong(form, said, options, saved):
            raise InvalidInput(wrong)
    except InvalidInput as error:
        raise InvalidInput({f"options.{name}": words for name, words in error.fields.items()}) from None
    return options


def alerting(rules: AlertRules) -> dict[str, Any]:
    """What differs from the default rules, as the form writes it. Raises `InvalidInput`."""
    if rules.steps is not None:
        if len(rules.steps) > MOST_STEPS:
            raise InvalidInput({"alerts.steps": f"must be at most {MOST_STEPS} steps; an empty list tells nobody"})
        if not all(step.channels or step.groups for step in rules.steps):
            raise InvalidInput({"alerts.steps": "must each name a channel or a group; an empty list tells nobody"})
        steps = [AlertStep(s.after_s, sorted(set(s.channels)), sorted(set(s.groups))) for s in rules.steps]
        rules = msgspec.structs.replace(rules, steps=sorted(steps, key=lambda step: step.after_s))
    if len(rules.certificate_days) > 20:
        raise InvalidInput({"alerts.certificate_days": "must be at most 20 days"})
    days = tuple(sorted(set(rules.certificate_days), reverse=True))
    return differing(msgspec.structs.replace(rules, certificate_days=days))


async def check_names(conn: Connection, draft: Draft, own: int | None = None) -> None:
    """What the rules name has to be there. Raises `InvalidInput`. own: the monitor itself, once it has a number."""
    steps = draft.alerts.get("steps") or ()
    if not steps and not draft.depends_on:
        return
    known = await channels.choices(conn)
    wrong = _gone(known, steps)
    if gone := [id for id in draft.depends_on if id not in known.monitors]:
        wrong["depends_on"] = f"must exist: there is no monitor {gone[0]}"
    if own in draft.depends_on:
        wrong["depends_on"] = "must not name the monitor itself"
    if wrong:
        raise InvalidInput(wrong)


async def check_steps(conn: Connection, steps: Sequence[Mapping[str, Any]]) -> None:
    """Whom they name has to be there. Raises `InvalidInput`."""
    if steps and (wrong := _gone(await channels.choices(conn), steps)):
        raise InvalidInput(wrong)


def _gone(known: Choices, steps: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    wrong = {}
    for name, there in (("channels", known.channels), ("groups", known.groups)):
        ids = {each.id for each in there}
        if gone := [id for step in steps for id in step.get(name, ()) if id not in ids]:
            wrong[f"alerts.steps.{name}"] = f"must exist: there is no {name[:-1]} {gone[0]}"
    return wrong


def written(monitor: Monitor, options: Mapping[str, Any]) -> dict[str, Any]:
    """`monitor` as somebody would send it; `options` without their secrets."""
    names = PassiveFields.__struct_fields__ if monitor.passive else MonitorFields.__struct_fields__
    values = {name: getattr(monitor, name) for name in names}
    more = {"type": monitor.type, "options": options, "alerts": monitor.alerts, "depends_on": monitor.depends_on}
    return {**values, **more, "enabled": monitor.enabled}
