"""docs/checks.md, written from the check types themselves: `python -m pinguin.checks.docs`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from pinguin.checks import check_types
from pinguin.checks.contract import CheckType
from pinguin.checks.describe import command_line
from pinguin.fields.markdown import table
from pinguin.model import REASONS

PATH = Path(__file__).parents[2] / "docs" / "checks.md"

HEAD = """\
# Checks

Written by `python -m pinguin.checks.docs` from the code; a test compares the two. Do not edit it.

A push monitor checks nothing: it waits to be pinged. Every other check can be run from a shell, without a database:
`pinguin check TYPE TARGET --option value …`. A list's or a table's option is given once for each entry, `--no-…` turns
off what is on, and `@FILE` stands for the text in a file. The exit code is 0 for up and degraded, 1 for down, 2 for
bad options and 3 for unknown. `--json` prints a line of JSON, `--repeat N --interval S` goes on, `--timeout S` bounds
the whole check, the look-up of the name included.
"""

REASONS_HEAD = """\
## Reasons

Whatever is not up has one of these reasons, and a sentence that names the target.

| reason | meaning |
|---|---|
"""


def text() -> str:
    """The whole file."""
    kinds = list(check_types().values())
    contents = "\n".join(f"- [{kind.title}](#{_anchor(kind)})" for kind in kinds)
    reasons = "".join(f"| `{reason}` | {words} |\n" for reason, words in REASONS.items())
    parts = [HEAD, contents + "\n", *map(_section, kinds), REASONS_HEAD + reasons]
    return "\n".join(parts)


def _anchor(kind: CheckType) -> str:
    return kind.name


def _section(kind: CheckType) -> str:
    parts = [f'## <a name="{_anchor(kind)}"></a>{kind.title}: `{kind.name}`\n', f"{kind.doc}\n", table(kind.options)]
    if kind.examples:
        parts += ["### Examples\n", *(_example(kind, words, dict(values)) for words, values in kind.examples)]
    return "\n".join(parts)


def _example(kind: CheckType, words: str, values: dict[str, object]) -> str:
    options = f"```json\n{json.dumps(values, ensure_ascii=False, indent=2)}\n```\n"
    if kind.passive:
        return f"{words}\n\n{options}"
    line = shlex.join(["pinguin", "check", *command_line(kind, values)])
    return f"{words}\n\n```sh\n{line}\n```\n\n{options}"


def main() -> None:
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(text(), encoding="utf-8")
    print(f"{PATH.relative_to(PATH.parents[1])}: {len(check_types())} check types")


if __name__ == "__main__":
    main()
