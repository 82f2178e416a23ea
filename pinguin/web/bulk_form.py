"""The form that edits many monitors: an empty field leaves each as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from pinguin.errors import InvalidInput
from pinguin.fields import convert
from pinguin.fields import field as described
from pinguin.store.bulk import Edit, Edited
from pinguin.store.channels import Choices
from pinguin.web import forms
from pinguin.web.monitor_form import wrong_regions, wrong_tags

TOLD = ("as before", "default", "chosen", "nobody")
"""Who is told of them: as it is, the default channels, those that are ticked, nobody."""
MOST_TAGS = 20

_Whole = Annotated[int, msgspec.Meta(ge=1, le=86400)]
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=300)]
_Times = Annotated[int, msgspec.Meta(ge=1, le=100)]


class BulkFields(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What can be changed of many monitors at once."""

    interval_s: Annotated[_Whole | None, described("Every", "From one check to the next.", unit="s")] = None
    timeout_s: Annotated[_Seconds | None, described("Timeout", "A check that takes longer has failed.", unit="s")] = (
        None
    )
    failure_threshold: Annotated[_Times | None, described("Down after", "Failed checks in a row.", unit="checks")] = (
        None
    )
    recovery_threshold: Annotated[
        _Times | None, described("Up again after", "Good checks in a row.", unit="checks")
    ] = None
    add: Annotated[list[str], described("Add tags", "One a line.", max_length=MOST_TAGS)] = msgspec.field(
        default_factory=list
    )
    remove: Annotated[
        list[str], described("Take away tags", "One a line; those that have none of them stay.", max_length=MOST_TAGS)
    ] = msgspec.field(default_factory=list)
    regions: Annotated[
        list[str], described("Regions", "One a line, instead of those that they have.", max_length=50)
    ] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        both = [tag for tag in self.add if tag in self.remove]
        wrong = {
            "add": wrong_tags(self.add),
            "remove": f"{both[0][:40]!r} is to be added too; leave it out of one" if both else None,
            "regions": wrong_regions(self.regions),
        }
        if found := {name: words for name, words in wrong.items() if words}:
            raise InvalidInput(found)


def blank() -> list[forms.Field]:
    return forms.fields(BulkFields)


def again(sent: Mapping[str, str], wrong: InvalidInput) -> tuple[list[forms.Field], list[str]]:
    """What was sent, with each error beside its field; and what is wrong with the form as a whole."""
    shown = blank()
    forms.fill_again(shown, sent)
    rest = forms.mark(shown, wrong.fields)
    return shown, [f"The form {rest['form']}."] if "form" in rest else []


def parse(sent: Mapping[str, str], choices: Choices) -> Edit:
    """Strictly. Raises `InvalidInput`."""
    wrong: dict[str, str] = {}
    own, steps, told = BulkFields(), None, sent.get("told", "as before")
    try:
        own = convert(forms.read(blank(), sent, {}), BulkFields)
    except InvalidInput as error:
        wrong |= error.fields
    if told not in TOLD:
        wrong["told"] = f"{told[:40]!r} is none; there are {', '.join(TOLD)}"
    elif told == "chosen" and not (steps := _steps(sent, choices)):
        wrong["told"] = "needs a channel; tick one, or choose nobody"
    if wrong:
        raise InvalidInput(wrong)
    edit = Edit(
        interval_s=own.interval_s,
        timeout_s=own.timeout_s,
        regions=list(dict.fromkeys(own.regions)) or None,
        failure_threshold=own.failure_threshold,
        recovery_threshold=own.recovery_threshold,
        add=tuple(dict.fromkeys(own.add)),
        remove=tuple(dict.fromkeys(own.remove)),
        alerts=told != "as before",
        steps=[] if told == "nobody" else steps,
    )
    if edit == Edit():
        raise InvalidInput({"form": "is empty, so there is nothing to change"})
    return edit


def _steps(sent: Mapping[str, str], choices: Choices) -> list[dict[str, Any]] | None:
    channels = [each.id for each in choices.channels if f"channel.{each.id}" in sent]
    groups = [each.id for each in choices.groups if f"group.{each.id}" in sent]
    step = {name: ids for name, ids in (("channels", channels), ("groups", groups)) if ids}
    return [step] if step else None


def check(changes: Sequence[Edited]) -> None:
    """Whether each monitor is whole after it. Raises `InvalidInput` with how many are not."""
    checked = [each.after for each in changes if not each.passive]
    late = [each for each in checked if each["timeout_s"] > each["interval_s"] - 0.5]
    many = [each for each in changes if len(each.after["tags"]) > MOST_TAGS]
    wrong = {}
    if late:
        most = min(each["interval_s"] for each in late) - 0.5
        wrong["timeout_s"] = (
            f"would be too long for {len(late)} of them: it must be half a second less than the interval."
            f" Give one of at most {most:g} s, or a longer interval"
        )
    if many:
        wrong["add"] = f"would give {len(many)} of them more than {MOST_TAGS} tags"
    if wrong:
        raise InvalidInput(wrong)
