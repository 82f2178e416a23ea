"""docs/checks.md is what the code says, and each of its examples is one."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from pinguin.check_command import reading
from pinguin.checks import check_type, check_types, docs
from pinguin.checks.contract import CheckType
from pinguin.checks.describe import command_line, main_option
from pinguin.fields.describe import options_of

KINDS = list(check_types().values())
RUN = [kind for kind in KINDS if not kind.passive]


def examples(kinds: list[CheckType]) -> Iterator[Any]:
    for kind in kinds:
        for words, values in kind.examples:
            yield pytest.param(kind, dict(values), id=f"{kind.name}: {words}")


def test_the_file_is_current() -> None:
    assert docs.PATH.read_text() == docs.text(), "run `python -m pinguin.checks.docs`"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_type_has_examples_and_a_sentence_for_every_option(kind: CheckType) -> None:
    assert kind.examples
    assert kind.doc.count("\n\n")
    for option in options_of(kind.options):
        assert option.title
        assert not option.title.endswith(".")
        assert not option.help or option.help.endswith("."), option.name


@pytest.mark.parametrize(("kind", "values"), list(examples(RUN)))
def test_every_example_parses_and_its_command_line_means_the_same(kind: CheckType, values: dict[str, Any]) -> None:
    expected = kind.parse(values)
    name, *words = command_line(kind, values)
    given = reading.values(kind, reading.parser(kind).parse_args(words))
    assert (name, kind.parse(given)) == (kind.name, expected)


@pytest.mark.parametrize(("kind", "values"), [each for each in examples(KINDS) if each.values[0] not in RUN])
def test_examples_of_passive_types_parse_and_stand_in_the_file(kind: CheckType, values: dict[str, Any]) -> None:
    assert kind.parse(values)
    assert f"```json\n{json.dumps(values, ensure_ascii=False, indent=2)}\n```" in docs.PATH.read_text()


def test_the_examples_in_the_file_are_the_same_ones() -> None:
    written = docs.PATH.read_text()
    lines = re.findall(r"```sh\npinguin check (.*?)\n```", written, re.DOTALL)
    objects = re.findall(r"\n```\n\n```json\n(.*?)\n```", written, re.DOTALL)
    assert len(lines) == len(objects) == sum(len(kind.examples) for kind in RUN)
    for line, plain in zip(lines, objects, strict=True):
        name, *words = shlex.split(line)
        kind = check_type(name)
        given = reading.values(kind, reading.parser(kind).parse_args(words))
        assert kind.parse(given) == kind.parse(json.loads(plain))


def test_what_an_option_is() -> None:
    options = {option.name: option for option in options_of(check_type("tcp").options)}
    assert main_option(check_type("tcp")).name == "host"
    assert (options["port"].required, options["port"].limits, options["port"].kind) == (
        True, "1 to 65,535", "whole number",
    )  # fmt: skip
    assert (options["slow_ms"].unit, options["slow_ms"].flag) == ("ms", "--slow-ms")
    assert options["tls"].choices[:2] == ("no", "direct")
    assert options["client_key"].secret
    assert options["steps"].kind == "list"
    assert options["verify_tls"].kind == "yes or no"


def test_secrets_of_examples_are_made_up_and_no_example_names_a_real_host() -> None:
    for kind in RUN:
        for _, values in kind.examples:
            target = str(values[main_option(kind).name])
            assert "example.org" in target or "192.0.2." in target
