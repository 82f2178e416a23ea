"""docs/checks.md, written from the check types themselves: `python -m pinguin.checks.docs`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from pinguin.checks import check_types
from pinguin.checks.contract import CheckType
from pinguin.checks.describe import Option, command_line, options_of
from pinguin.model import REASONS

PATH = Path(__file__).parents[2] / "docs" / "checks.md"

HEAD = """\
# Checks

Written by `python -m pinguin.checks.docs` from the code; a test compares the two. Do not edit it.

Every check can be run from a shell, without a database: `pinguin check TYPE TARGET --option value …`. A list's or a
table's option is given once for each entry, `--no-…` turns off what is on, and `@FILE` stands for the text in a file.
The exit code is 0 for up and degraded, 1 for down, 2 for bad options and 3 for unknown. `--json` prints a line of JSON,
`--repeat N --interval S` goes on, `--timeout S` bounds the whole check, the look-up of the name included.
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
    parts = [f'## <a name="{_anchor(kind)}"></a>{kind.title}: `{kind.name}`\n', f"{kind.doc}\n", _table(kind)]
    if kind.examples:
        parts += ["### Examples\n", *(_example(kind, words, dict(values)) for words, values in kind.examples)]
    return "\n".join(parts)


def _table(kind: CheckType) -> str:
    rows = "".join(map(_row, options_of(kind.options)))
    return f"| option | what it is | type | default | limits |\n|---|---|---|---|---|\n{rows}"


def _row(option: Option) -> str:
    notes = [words for on, words in ((option.advanced, "advanced"), (option.secret, "secret")) if on]
    what = f"**{option.title}**" + (f" ({', '.join(notes)})" if notes else "")
    cells = (f"`{option.name}`", f"{what}. {option.help}".strip(), _type(option), _default(option), _limits(option))
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |\n"


def _type(option: Option) -> str:
    if option.kind == "choice":
        return ", ".join(f"`{choice}`" for choice in option.choices)
    return {"pairs": "`name: value` pairs", "list": "list of texts"}.get(option.kind, option.kind)


def _default(option: Option) -> str:
    if option.required:
        return "required"
    if isinstance(option.default, bool):
        return "yes" if option.default else "no"
    if option.default in ("", [], {}):
        return "none"
    return f"`{', '.join(option.default) if isinstance(option.default, list) else option.default}`"


def _limits(option: Option) -> str:
    return f"{option.limits} {option.unit}".strip()


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")


def _example(kind: CheckType, words: str, values: dict[str, object]) -> str:
    line = shlex.join(["pinguin", "check", *command_line(kind, values)])
    options = json.dumps(values, ensure_ascii=False, indent=2)
    return f"{words}\n\n```sh\n{line}\n```\n\n```json\n{options}\n```\n"


def main() -> None:
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(text(), encoding="utf-8")
    print(f"{PATH.relative_to(PATH.parents[1])}: {len(check_types())} check types")


if __name__ == "__main__":
    main()
