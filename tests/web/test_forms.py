from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest

from pinguin.checks import check_types
from pinguin.checks.contract import CheckOptions, CheckType, Context, Outcome
from pinguin.errors import InvalidInput
from pinguin.fields import field
from pinguin.store.channels import Choices
from pinguin.web import forms, monitor_form
from pinguin.web.alert_form import Known
from pinguin.web.saved import NOTHING as NONE_SAVED


class Options(CheckOptions, frozen=True):
    text: Annotated[str, field("Text", "Some words.", min_length=1, max_length=20, placeholder="like this")]
    count: Annotated[int, field("Count", unit="days", ge=1, le=9)] = 3
    share: Annotated[float, field("Share", gt=0)] = 0.5
    sure: Annotated[bool, field("Sure", advanced=True)] = True
    kind: Annotated[Literal["b", "a"], field("Kind")] = "b"
    lines: Annotated[list[str], field("Lines")] = msgspec.field(default_factory=list)
    numbers: Annotated[list[int], field("Numbers")] = msgspec.field(default_factory=list)
    pairs: Annotated[dict[str, str], field("Pairs")] = msgspec.field(default_factory=dict)
    maybe: Annotated[Annotated[int, msgspec.Meta(ge=5)] | None, field("Maybe")] = None
    secret: Annotated[str, field("Secret", secret=True)] = ""
    long: Annotated[str, field("Long", widget="textarea")] = ""

    def target(self) -> str:
        return self.text


NOTHING = Known(Choices([], [], {}))


async def _check(options: Options, context: Context) -> Outcome:
    raise NotImplementedError


KIND = CheckType("made_up", "Made up", Options, _check, "For tests.")
SENT = {
    "name": "x", "interval_s": "60", "timeout_s": "10", "failure_threshold": "2", "recovery_threshold": "1",
    "regions": "local",
}  # fmt: skip


def by_key(prefix: str = "") -> dict[str, forms.Field]:
    return {each.key: each for each in forms.fields(Options, prefix)}


def read(saved: dict[str, Any] | None = None, /, **sent: str) -> dict[str, Any]:
    return forms.read(forms.fields(Options), sent, saved or {})


def test_each_kind_of_option_has_its_widget() -> None:
    widgets = {key: each.widget for key, each in by_key().items()}
    assert widgets == {
        "text": "text", "count": "number", "share": "number", "sure": "checkbox", "kind": "select", "lines": "lines",
        "numbers": "lines", "pairs": "pairs", "maybe": "number", "secret": "text", "long": "textarea",
    }  # fmt: skip


def test_a_field_knows_its_words_limits_and_default() -> None:
    drawn = by_key("options.")
    text, count = drawn["text"], drawn["count"]
    assert (text.name, text.id, text.title, text.help) == ("options.text", "f-options-text", "Text", "Some words.")
    assert (text.required, text.placeholder, text.attributes) == (True, "like this", {"maxlength": 20})
    assert (count.required, count.unit, count.value) == (False, "days", "3")
    assert count.attributes == {"min": 1, "max": 9, "step": 1}
    assert drawn["share"].attributes["step"] == "any"
    assert drawn["sure"].checked
    assert drawn["sure"].advanced
    assert (drawn["kind"].value, list(drawn["kind"].choices)) == ("b", [("b", "b"), ("a", "a")])
    assert drawn["maybe"].optional


def test_values_are_read_as_their_types() -> None:
    found = read(
        text="  hi ", count="4", share=".25", sure="on", kind="a", lines=" a\r\n\r\nb ", numbers="1\n2",
        pairs="Accept: text/html\nX-A: b: c", maybe="7", secret=" s ", long="two\r\nlines",
    )  # fmt: skip
    assert found == {
        "text": "hi", "count": 4, "share": 0.25, "sure": True, "kind": "a", "lines": ["a", "b"], "numbers": [1, 2],
        "pairs": {"Accept": "text/html", "X-A": "b: c"}, "maybe": 7, "secret": " s ", "long": "two\nlines",
    }  # fmt: skip


def test_what_is_left_empty_is_the_default_or_nothing() -> None:
    found = read(text="", count="", lines="", pairs="", maybe="", secret="")
    assert found == {"sure": False, "lines": [], "numbers": [], "pairs": {}, "maybe": None, "secret": "", "long": ""}


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"count": "0"}, "must be at least 1"),
        ({"count": "10"}, "must be at most 9"),
        ({"share": "0"}, "must be more than 0"),
        ({"text": "x" * 21}, "must have at most 20 characters"),
        ({"maybe": "4"}, "must be at least 5"),
        ({"count": "many"}, "must be a whole number"),
        ({"count": "1.5"}, "must be a whole number"),
        ({"count": "9" * 400}, "must be a whole number"),
        ({"share": "nan"}, "must be a number"),
        ({"share": "1e400"}, "must be a number"),
        ({"share": "inf"}, "must be a number"),
        ({"maybe": "x"}, "must be a whole number"),
        ({"numbers": "1\nx"}, "must be a whole number"),
        ({"pairs": "no colon"}, "must be one `name: value` a line; line 1 is none"),
        ({"pairs": "A: 1\nB: 2\n\nA: 3"}, "must have each name once; line 4 has A again"),
        ({"pairs": ": no name"}, "must be one `name: value` a line; line 1 is none"),
        ({"text": "a\x00b"}, "must not contain control characters"),
        ({"text": "a\r\nb"}, "must be one line"),
        ({"text": "a\u2028b"}, "must be one line"),
        ({"long": "a\x1bb"}, "must not contain control characters"),
        ({"secret": "a\x00"}, "must not contain control characters"),
    ],
)
def test_what_cannot_be_read_is_said_beside_its_field(sent: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read({}, **sent)
    assert caught.value.fields == {next(iter(sent)): words}


def test_a_line_break_around_a_value_is_none() -> None:
    assert read({}, text=" a\r\n")["text"] == "a"


def test_a_secret_is_kept_replaced_or_removed_and_never_shown() -> None:
    saved = {"secret": "hush"}
    assert read(saved, secret="")["secret"] == "hush"
    assert read(saved, secret="new")["secret"] == "new"
    assert read(saved, **{"secret": "", "secret.remove": "on"})["secret"] == ""
    form = forms.fields(Options)
    forms.fill(form, saved | {"text": "hi"})
    forms.fill_again(form, {"secret": "typed"})
    drawn = {each.key: each for each in form}["secret"]
    assert (drawn.value, drawn.saved) == ("", True)


def test_every_error_of_both_parts_is_told_at_once() -> None:
    sent = SENT | {"name": "", "interval_s": "x", "options.count": "99", "options.text": "hi"}
    with pytest.raises(InvalidInput) as caught:
        monitor_form.parse(KIND, sent, NONE_SAVED, NOTHING)
    assert set(caught.value.fields) >= {"interval_s", "options.count"}


def test_a_good_form_becomes_a_definition() -> None:
    sent = SENT | {"options.text": "hi", "tags": "a\nb\na", "options.sure": "on"}
    definition, options = monitor_form.parse(KIND, sent, NONE_SAVED, NOTHING)
    assert definition.target == "hi"
    assert definition.tags == ["a", "b"]
    assert definition.options["count"] == 3
    assert isinstance(options, Options)


@pytest.mark.parametrize(
    ("interval_s", "good", "bad", "most"),
    [("60", "59.5", "60", "59.5"), ("60", "59.5", "59.6", "59.5"), ("2", "1.5", "2", "1.5"), ("1", "0.5", "1", "0.5")],
)
def test_a_check_ends_half_a_second_before_the_next(interval_s: str, good: str, bad: str, most: str) -> None:
    sent = SENT | {"options.text": "hi", "interval_s": interval_s}
    definition, _ = monitor_form.parse(KIND, sent | {"timeout_s": good}, NONE_SAVED, NOTHING)
    assert definition.timeout_s == float(good)
    with pytest.raises(InvalidInput) as caught:
        monitor_form.parse(KIND, sent | {"timeout_s": bad}, NONE_SAVED, NOTHING)
    assert caught.value.fields == {
        "timeout_s": f"must be at most {most} s: half a second less than the {interval_s} s from check to check"
    }


def test_the_empty_form_has_a_timeout_that_its_interval_allows() -> None:
    own = {each.name: each.value for each in monitor_form.blank(KIND, NOTHING).fields} | {
        "name": "x",
        "options.text": "hi",
    }
    assert monitor_form.parse(KIND, own, NONE_SAVED, NOTHING)[0].timeout_s == 10


@pytest.mark.parametrize("kind", check_types().values(), ids=lambda kind: kind.name)
def test_every_check_type_has_a_form_that_reads_itself_back(kind: CheckType) -> None:
    """What the empty form shows is what its defaults are."""
    form = forms.fields(kind.options, monitor_form.OPTION)
    sent = {each.name: each.value for each in form if each.widget != "checkbox"}
    sent |= {each.name: "on" for each in form if each.checked}
    found = forms.read(form, sent, {})
    for each in form:
        assert each.title
        if not each.required:
            assert found.get(each.key, each.default) == each.default, each.key
