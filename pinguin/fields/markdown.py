"""The options of a struct as a table in Markdown."""

from __future__ import annotations

from pinguin.fields import StrictOptions
from pinguin.fields.describe import Option, options_of


def table(struct: type[StrictOptions]) -> str:
    rows = "".join(map(_row, options_of(struct)))
    return f"| option | what it is | type | default | limits |\n|---|---|---|---|---|\n{rows}"


def _row(option: Option) -> str:
    notes = [words for on, words in ((option.advanced, "advanced"), (option.secret, "secret")) if on]
    what = f"**{option.title}**" + (f" ({', '.join(notes)})" if notes else "")
    cells = (f"`{option.name}`", f"{what}. {option.help}".strip(), _type(option), _default(option), _limits(option))
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |\n"


def _type(option: Option) -> str:
    if option.kind == "choice":
        return ", ".join(f"`{choice}`" for choice in option.choices)
    return {"pairs": "`name: value` pairs", "list": "list of texts"}.get(option.kind, option.kind)


def _default(option: Option) -> str:
    if option.required:
        return "required"
    if isinstance(option.default, bool):
        return "yes" if option.default else "no"
    if option.default in ("", None, [], {}):
        return "none"
    return f"`{', '.join(option.default) if isinstance(option.default, list) else option.default}`"


def _limits(option: Option) -> str:
    return f"{option.limits} {option.unit}".strip()


def escaped(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")
