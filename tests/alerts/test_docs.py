"""docs/alerts.md is what the code says, and each of its examples is one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pinguin.alerts import docs
from pinguin.alerts.channels import channel_types
from pinguin.alerts.contract import KINDS, ChannelType
from pinguin.alerts.filters import OWN
from pinguin.alerts.render import VARIABLES, check, variables
from pinguin.alerts.samples import SAMPLES
from pinguin.alerts.voices import voice
from pinguin.fields.describe import options_of

TYPES = list(channel_types().values())


def test_the_file_is_current() -> None:
    assert docs.PATH.read_text() == docs.text(), "run `python -m pinguin.alerts.docs`"


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_every_kind_has_examples_that_parse_and_a_sentence_for_every_option(kind: ChannelType) -> None:
    assert kind.examples
    assert kind.doc
    for _, values in kind.examples:
        target = kind.parse(values).target()
        assert target
    for option in options_of(kind.options):
        assert option.title
        assert not option.title.endswith(".")
        assert not option.help or option.help.endswith("."), option.name


def test_the_examples_in_the_file_are_the_same_ones() -> None:
    objects = [json.loads(text) for text in re.findall(r"```json\n(.*?)\n```", docs.PATH.read_text(), re.DOTALL)]
    expected: list[Any] = [dict(values) for kind in TYPES for _, values in kind.examples]
    assert objects[: len(expected)] == expected
    assert objects[-1]["version"] == 1


@pytest.mark.parametrize(("words", "template", "sample"), docs.TEMPLATE_EXAMPLES)
def test_every_example_of_a_template_can_be_saved(words: str, template: str, sample: str) -> None:
    """That it makes something of its own sample is not enough: it is tried with all of them."""
    assert words.endswith(":")
    assert sample in SAMPLES
    check(template, json=template.startswith('{"'))


def test_no_example_names_a_real_host_or_secret() -> None:
    for kind in TYPES:
        for _, values in kind.examples:
            for host in re.findall(r"(?:://|@)([\w.:@-]+\.\w+)", json.dumps(values)):
                assert re.search(r"example\.org|192\.0\.2\.", host), host


def test_every_variable_filter_and_kind_is_documented() -> None:
    assert set(variables(SAMPLES["down"](), "", "")) == set(VARIABLES)
    assert all(function.__doc__ and function.__doc__.endswith(".") for function in OWN.values())
    assert all(voice(kind).word != kind.replace("_", " ").upper() or kind in KINDS for kind in KINDS)
