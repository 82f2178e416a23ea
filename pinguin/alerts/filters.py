"""The filters of users' templates. Each is paid for from the budget of its rendering."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import msgspec
from jinja2 import pass_context
from jinja2.exceptions import TemplateRuntimeError
from jinja2.filters import FILTERS
from jinja2.runtime import Context, Undefined
from jinja2.tests import TESTS as JINJA_TESTS

from pinguin.alerts import words
from pinguin.alerts.budget import Budget

BUDGET = "_budget"
"""The hidden variable that carries it."""

LOOK_AT_ONE = ("abs", "default", "first", "float", "int", "last", "length")
LOOK_AT_EACH = ("list", "map", "reject", "rejectattr", "reverse", "select", "selectattr")
COMPARE = ("groupby", "max", "min", "sort", "unique")
MAKE_TEXT = ("capitalize", "e", "escape", "lower", "title", "trim", "truncate", "upper", "urlencode")
"""Jinja's own, by what they cost. The answer of the last is at most a few times as long as what they are given."""

TESTS = (
    "boolean", "defined", "divisibleby", "eq", "equalto", "even", "false", "ge", "greaterthan", "gt", "in", "le",
    "lessthan", "lt", "mapping", "ne", "none", "number", "odd", "sequence", "string", "true", "undefined",
)  # fmt: skip


def budget_of(context: Context) -> Budget:
    found = context.resolve(BUDGET)
    assert isinstance(found, Budget)
    return found


def shown(value: Any) -> str:
    """A value as it stands in the text: None is nothing, a time is in UTC, a list is JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return words.exact(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | Undefined):
        return str(value)
    return _json(value)


def _json(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        raise TemplateRuntimeError(f"a {type(value).__name__} cannot be shown") from None


@pass_context
def finalize(context: Context, value: Any) -> str:
    """Jinja calls it for everything between {{ and }}."""
    value = _settled(value)
    budget_of(context).weigh(value)
    return shown(value)


def tojson(value: Any) -> str:
    """As JSON, quotes and all: for the body of a webhook."""
    if isinstance(value, Undefined):
        return "null"
    return _json(value)


def join(value: Any, between: str = "") -> str:
    """The items of a list as one text: items|map(attribute="monitor")|join(", ")."""
    return str(between).join(map(shown, value))


def replace(value: Any, old: str, new: str) -> str:
    """One text in the place of another: item.monitor|replace("-", " ")."""
    return shown(value).replace(str(old), str(new))


def indent(value: Any, width: int = 4) -> str:
    """Every line but the first moved to the right."""
    return shown(value).replace("\n", "\n" + " " * max(0, min(int(width), 40)))


def round_(value: float, digits: int = 0) -> float:
    """12.3456|round(1) is 12.3."""
    return round(float(value), max(0, min(int(digits), 15)))


def string(value: Any) -> str:
    """As text."""
    return shown(value)


def duration(seconds: float) -> str:
    """7500|duration is 2 h 5 min."""
    return words.duration(float(seconds))


def clock(moment: datetime) -> str:
    """12:00 UTC."""
    return moment.astimezone(UTC).strftime("%H:%M UTC")


def day(moment: datetime) -> str:
    """2026-01-08."""
    return words.day(moment)


def iso(moment: datetime) -> str:
    """2026-01-08T12:00:05+00:00."""
    return moment.astimezone(UTC).isoformat()


def unix(moment: datetime) -> int:
    """Seconds since 1970."""
    return int(moment.timestamp())


OWN: Mapping[str, Callable[..., Any]] = {
    "tojson": tojson,
    "join": join,
    "replace": replace,
    "indent": indent,
    "round": round_,
    "string": string,
    "duration": duration,
    "clock": clock,
    "day": day,
    "iso": iso,
    "unix": unix,
}


@pass_context
def concatenated(context: Context, *values: Any) -> str:
    """`a ~ b`"""
    settled = [_settled(value) for value in values]
    budget_of(context).weigh(settled)
    return "".join(map(shown, settled))


@pass_context
def weighed(context: Context, value: Any) -> Any:
    """What is compared, or stands in a list: paid for as a whole, for it may be a list of lists of lists."""
    budget_of(context).weigh(value, into_structs=False)
    return value


@pass_context
def counted(context: Context, value: Any, weight: int) -> list[Any]:
    """What a loop goes through, paid for: `weight` is the size of the loop's body."""
    if isinstance(value, Undefined):
        return []
    found = list(value)
    budget_of(context).take_steps((len(found) + 1) * weight)
    return found


def all_filters() -> dict[str, Any]:
    return {
        **{name: _paid(FILTERS[name], _glance) for name in LOOK_AT_ONE},
        **{name: _paid(FILTERS[name], _count) for name in LOOK_AT_EACH},
        **{name: _paid(FILTERS[name], _compare) for name in COMPARE},
        **{name: _paid(_on_text(FILTERS[name]), Budget.weigh) for name in MAKE_TEXT},
        **{name: _paid(function, Budget.weigh, _BEFORE.get(name)) for name, function in OWN.items()},
        "_concatenated": concatenated,
        "_counted": counted,
        "_weighed": weighed,
    }


def all_tests() -> dict[str, Any]:
    return {name: _paid(JINJA_TESTS[name], _compare) for name in TESTS}


def _paid(
    function: Any,
    cost: Callable[[Budget, Any], None],
    makes: Callable[..., int] | None = None,
) -> Callable[..., Any]:
    """`function` as a filter or test. cost: takes for each argument. makes: characters, known before they are made."""
    wants = getattr(function, "jinja_pass_arg", None)

    @pass_context
    @wraps(function, assigned=("__name__", "__doc__"), updated=())
    def paid(context: Context, *values: Any, **named: Any) -> Any:
        budget = budget_of(context)
        values = tuple(map(_settled, values))
        for value in (*values, *named.values()):
            cost(budget, value)
        if makes is not None:
            budget.take_characters(makes(*values, **named))
        first = () if wants is None else (_wanted(wants.name, context),)
        answer = function(*first, *values, **named)
        if isinstance(answer, str):
            budget.take_characters(len(answer))
        return answer

    return paid


def _settled(value: Any) -> Any:
    """What map and select give is a list only once somebody goes through it."""
    return list(value) if isinstance(value, Iterator) else value


def _glance(budget: Budget, _: Any) -> None:
    budget.take_steps(1)


def _count(budget: Budget, value: Any) -> None:
    budget.take_steps(len(value) + 1 if isinstance(value, Sized) else 1)


def _compare(budget: Budget, value: Any) -> None:
    budget.weigh(value, into_structs=False)


def _wanted(name: str, context: Context) -> Any:
    return {"context": context, "eval_context": context.eval_ctx, "environment": context.environment}[name]


def _on_text(function: Any) -> Callable[..., Any]:
    """Jinja takes anything here and calls str on it, which shows addresses in memory, and is not bounded."""

    @wraps(function)
    def on_text(*values: Any, **named: Any) -> Any:
        place = 1 if getattr(function, "jinja_pass_arg", None) else 0
        changed = [shown(value) if at == place else value for at, value in enumerate(values)]
        return str(function(*changed, **named))

    return on_text


def _replaced(value: Any, old: str, new: str) -> int:
    return shown(value).count(str(old)) * len(str(new))


def _joined(value: Any, between: str = "") -> int:
    return len(str(between)) * len(value)


def _indented(value: Any, width: int = 4) -> int:
    return shown(value).count("\n") * 40


_BEFORE: Mapping[str, Callable[..., int]] = {"replace": _replaced, "join": _joined, "indent": _indented}
