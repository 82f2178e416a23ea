"""Secrets that are saved already: kept where a form leaves them empty, never shown, and never sent anywhere else.

Whoever may edit may say where a monitor or a channel leads, but not read its secrets. So when that changes, they have
to be typed again: else the new place would be told what only the old one should know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pinguin.checks.contract import CheckType
from pinguin.errors import InvalidInput, SealBroken
from pinguin.fields import StrictOptions, convert
from pinguin.secrets import PREFIX, Keys, is_sealed, monitor_place, secret_fields
from pinguin.store.monitors import Draft, Monitor
from pinguin.web import forms

AGAIN = "must be typed again, or removed: a saved secret goes only where it went before, and new is {place}"
UNOPENED = "was saved under another key and does not open: type it again, or remove it"


@dataclass(frozen=True, slots=True)
class Saved:
    """Stored options. plain: opened, without those that do not open; those are broken, by name with what is wrong.

    goes_to: where the secrets go; None where that cannot be told.
    """

    plain: Mapping[str, Any] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    goes_to: Sequence[str] | None = ()

    def has(self, name: str) -> bool:
        return bool(self.plain.get(name)) or name in self.broken


NOTHING = Saved()


def of_monitor(source: Monitor | None, kind: CheckType, keys: Keys) -> Saved:
    """Options of another type mean something else: of them, nothing."""
    if source is None or source.type != kind.name:
        return NOTHING
    return opened(source.options, kind.options, keys, monitor_place(kind.name))


def opened(options: Mapping[str, Any], struct: type[StrictOptions], keys: Keys, place: str) -> Saved:
    plain, broken = dict(options), {}
    for name in secret_fields(struct) & options.keys():
        try:
            plain |= keys.unseal_fields({name: options[name]}, struct, place)
        except SealBroken:
            del plain[name]
            broken[name] = UNOPENED
    return Saved(plain, broken, goes_to(plain, struct))


def goes_to(plain: Mapping[str, Any], struct: type[StrictOptions]) -> Sequence[str] | None:
    """Where the secrets of these options go; None where they are not valid any more."""
    try:
        return convert(plain, struct).goes_to()
    except InvalidInput:
        return None


def wrong(form: Sequence[forms.Field], sent: Mapping[str, str], options: StrictOptions, saved: Saved) -> dict[str, str]:
    """By field: saved secrets that were to be kept and cannot be."""
    kept = [each for each in form if forms.keeps(each, sent)]
    found = {each.key: saved.broken[each.key] for each in kept if each.key in saved.broken}
    if saved.goes_to is None or not set(options.goes_to()) <= set(saved.goes_to):
        places = [place for place in options.goes_to() if place not in (saved.goes_to or ())]
        words = AGAIN.format(place=", ".join(places) or "another place")
        found |= {each.key: words for each in kept if saved.plain.get(each.key)}
    return found


def sealed(draft: Draft, kind: CheckType, keys: Keys, before: Mapping[str, Any]) -> Draft:
    """`draft` as it may be stored. before: the stored options of the same type; what did not change stays as it is
    there, so that no version is made for nothing.

    Raises `InvalidInput` where there is no key, or a secret looks as if it were sealed.
    """
    place = monitor_place(kind.name)
    known = opened(before, kind.options, keys, place).plain
    secret = secret_fields(kind.options)
    plain = dict(draft.options)
    kept = {name: before[name] for name in secret & plain.keys() & known.keys() if plain[name] == known[name]}
    _refuse_seals({name: plain[name] for name in secret & plain.keys()})
    try:
        new = keys.seal_fields({name: value for name, value in plain.items() if name not in kept}, kind.options, place)
    except InvalidInput as error:
        raise InvalidInput({f"options.{name}": words for name, words in error.fields.items()}) from None
    if keys:
        kept = keys.seal_fields(kept, kind.options, place)
    return replace(draft, options={name: (new | kept)[name] for name in plain})


def _refuse_seals(values: Mapping[str, Any]) -> None:
    """Somebody may have seen a sealed text, in a backup for one: it must not open for them elsewhere."""
    found = {f"options.{name}": f"must not have {PREFIX} in it" for name, value in values.items() if _looks(value)}
    if found:
        raise InvalidInput(found)


def _looks(value: Any) -> bool:
    if isinstance(value, str):
        return is_sealed(value)
    if isinstance(value, Mapping):
        return any(map(_looks, value.values()))
    return isinstance(value, list | tuple) and any(map(_looks, value))
