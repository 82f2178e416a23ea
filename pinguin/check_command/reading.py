"""What stands behind `pinguin check TYPE`: its options, drawn from the type, read into plain JSON types."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from math import nan
from pathlib import Path
from typing import Any

from pinguin.checks.contract import CheckType
from pinguin.checks.describe import main_option, takes_port
from pinguin.checks.verdict import wrong_host
from pinguin.errors import InvalidInput
from pinguin.fields.describe import Option, options_of


def parser(kind: CheckType) -> argparse.ArgumentParser:
    """What `pinguin check TYPE` understands, drawn from the type's options."""
    target = main_option(kind)
    made = argparse.ArgumentParser(
        prog=f"pinguin check {kind.name}",
        usage=f"pinguin check {kind.name} {target.name.upper()}{'[:PORT]' if takes_port(kind) else ''} [options]",
        description=kind.doc,
        epilog="A text may stand in a file: --option @FILE, or @- for standard input; @@ begins a text with an @.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("target", metavar=target.name, help=_percent(_help(target)))
    ours = made.add_argument_group("about this run")
    ours.add_argument("--timeout", type=_seconds, default=10.0, metavar="S", help="for the whole check (default: 10 s)")
    ours.add_argument("--repeat", type=_times, default=1, metavar="N", help="check so many times (default: 1)")
    ours.add_argument("--interval", type=_seconds, default=1.0, metavar="S", help="from check to check (default: 1 s)")
    ours.add_argument("--json", action="store_true", help="print a line of JSON for each check")
    theirs = made.add_argument_group(f"options of {kind.name}")
    for option in options_of(kind.options)[1:]:
        _add(theirs, option)
    return made


def values(kind: CheckType, arguments: argparse.Namespace) -> dict[str, Any]:
    """The options that were given, in plain JSON types. Raises InvalidInput."""
    given: dict[str, Any] = {main_option(kind).name: arguments.target}
    if takes_port(kind):
        given |= _host_and_port(arguments.target)
    wrong: dict[str, str] = {}
    for option in options_of(kind.options)[1:]:
        value = getattr(arguments, f"option_{option.name}")
        if value is None:
            continue
        try:
            given[option.name] = _value(option, value)
        except (ValueError, OSError) as error:
            wrong[option.name] = str(error)
    if wrong:
        raise InvalidInput(wrong)
    return given


def _add(group: argparse._ArgumentGroup, option: Option) -> None:
    common: dict[str, Any] = {"dest": f"option_{option.name}", "default": None, "help": _percent(_help(option))}
    match option.kind:
        case "yes or no":
            group.add_argument(option.flag, action=argparse.BooleanOptionalAction, **common)
        case "whole number" | "number":
            number = int if option.kind == "whole number" else float
            group.add_argument(option.flag, type=number, metavar=option.unit.upper() or "N", **common)
        case "choice":
            few = len(option.choices) <= 12
            metavar = "{" + ",".join(option.choices) + "}" if few else "NAME"
            group.add_argument(option.flag, choices=option.choices, metavar=metavar, **common)
        case "list" | "pairs":
            metavar = "TEXT" if option.kind == "list" else "'NAME: VALUE'"
            group.add_argument(option.flag, action="append", metavar=metavar, **common)
        case _:
            group.add_argument(option.flag, metavar="TEXT", **common)


def _help(option: Option) -> str:
    """One option in a line or two."""
    facts = []
    if option.limits and not option.limits.endswith("characters"):
        facts.append(f"{option.limits} {option.unit}".strip())
    elif option.unit:
        facts.append(option.unit)
    if len(option.choices) > 12:
        facts.append("one of " + ", ".join(option.choices))
    if option.kind in ("list", "pairs"):
        facts.append("may be given several times")
    if option.required:
        facts.append("required")
    elif option.default not in ("", [], {}):
        facts.append(f"default: {_default(option)}")
    words = f"{option.title}. {option.help}".strip()
    return words + (f" ({'; '.join(facts)})" if facts else "")


def _default(option: Option) -> str:
    if isinstance(option.default, bool):
        return "yes" if option.default else "no"
    return ", ".join(option.default) if isinstance(option.default, list) else str(option.default)


def _percent(words: str) -> str:
    return words.replace("%", "%%")  # argparse takes a % for a place to fill in


def _host_and_port(target: str) -> dict[str, Any]:
    """`host`, `host:port`, `::1` or `[::1]:port`. What fits none of these is for the options to refuse."""
    match = re.fullmatch(r"\[([^\]]*)\](?::([0-9]{1,5}))?|([^:]*):([0-9]{1,5})", target)
    if not match:
        wrong = wrong_host(target) if re.search(r"[:\[\]]", target) else None
        if wrong:
            ours = "must be host:port, or [address]:port for IPv6, with a port from 1 to 65535"
            raise InvalidInput({"host": wrong if "://" in target else ours})
        return {"host": target}
    host, port = (match[1], match[2]) if match[1] is not None else (match[3], match[4])
    return {"host": host, **({"port": int(port)} if port else {})}


def _value(option: Option, value: Any) -> Any:
    """Raises ValueError, OSError."""
    match option.kind:
        case "list":
            return [_text(each) for each in value]
        case "pairs":
            return _pairs(value)
        case "text":
            # Editors end a file with a line break, which belongs to no password.
            return _text(value).rstrip("\r\n") if option.secret else _text(value)
    return value


def _text(value: str) -> str:
    if value.startswith("@@"):
        return value[1:]
    if value == "@-":
        return sys.stdin.read()
    if value == "@":
        raise ValueError("needs a file behind the @; a text that is @ alone is written @@")
    if value.startswith("@"):
        try:
            return Path(value[1:]).read_text(encoding="utf-8")
        except OSError as error:
            raise ValueError(f"{value[1:]} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError(f"{value[1:]} is no text in UTF-8") from None
    return value


def _pairs(lines: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in map(_name_and_value, lines):
        if name in found:
            raise ValueError(f"{name} is given twice; leave one of them")
        found[name] = value
    return found


def _name_and_value(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise ValueError("must be `name: value`")
    return name.strip(), _text(value.strip()).rstrip("\r\n")


def _seconds(words: str) -> float:
    try:
        value = float(words)
    except ValueError:
        value = nan
    if not 0 < value <= 600:
        raise argparse.ArgumentTypeError("must be more than 0 and at most 600 seconds")
    return value


def _times(words: str) -> int:
    if not re.fullmatch("[0-9]{1,7}", words) or not 1 <= int(words) <= 1_000_000:
        raise argparse.ArgumentTypeError("must be a whole number from 1 to 1,000,000")
    return int(words)


def understood(made: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Exits, as argparse does, with what was meant perhaps in place of an option that there is not."""
    arguments, others = made.parse_known_args(words)
    if others:
        flags = [flag for flag in made._option_string_actions if flag.startswith("--")]
        unknown = others[0].partition("=")[0]
        near = get_close_matches(unknown, flags, 1) if unknown.startswith("-") else []
        hint = f"; did you mean {near[0]}?" if near else ""
        made.error(f"unrecognized arguments: {' '.join(others)}{hint}")
    return arguments
