"""From a message's facts to its words: our own, or what a channel's templates make of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import msgspec
import structlog
from markupsafe import escape

from pinguin.alerts.contract import Message, Rendered
from pinguin.alerts.digest import MOST_LINES, digest, in_order
from pinguin.alerts.html import document
from pinguin.alerts.samples import SAMPLES
from pinguin.alerts.sandbox import TemplateFailed, parsed
from pinguin.alerts.sheet import LONGEST_SUBJECT, Fact, Sheet, single
from pinguin.alerts.text import plain
from pinguin.alerts.words import one_line
from pinguin.errors import InvalidInput

log = structlog.get_logger(__name__)

VARIABLES: Mapping[str, tuple[str, str]] = {
    "message": ("Message", "all of it, with the first 100 items"),
    "items": ("list of Item", "what happened, the gravest first; at most 100"),
    "item": ("Item", "the first of them"),
    "count": ("int", "how many there are in all"),
    "more": ("int", "how many of them are not in `items`"),
    "subject": ("str", "the subject as Pinguin words it"),
    "text": ("str", "the text as Pinguin words it"),
}
"""What a template may use: its type and its meaning."""

NAMES = frozenset(VARIABLES)


def render(message: Message, subject_template: str = "", body_template: str = "") -> Rendered:
    """`message` in words. A template that fails with these facts is replaced by our own words, and they say so."""
    sheet = digest(message) if message.digest else single(message)
    text = plain(sheet)
    if not subject_template and not body_template:
        return Rendered(sheet.subject, text, document(sheet), message)
    facts = variables(message, sheet.subject, text)
    subject, wrong = _tried(subject_template, facts, sheet.subject)
    body, wrong_body = _tried(body_template, facts, text)
    if complaint := wrong or wrong_body:
        return _with_complaint(sheet, text, message, complaint)
    subject = one_line(subject, LONGEST_SUBJECT) or sheet.subject
    html = document(dataclasses.replace(sheet, subject=subject, title=subject), body if body_template else None)
    return Rendered(subject, body, html, message)


def _tried(source: str, facts: Mapping[str, Any], otherwise: str) -> tuple[str, str]:
    """What the template makes, or our own words and what is wrong with it."""
    if not source:
        return otherwise, ""
    try:
        return parsed(source, NAMES).render(facts), ""
    except TemplateFailed as error:
        return otherwise, str(error)
    except InvalidInput as error:
        return otherwise, error.fields["template"]


def _with_complaint(sheet: Sheet, text: str, message: Message, complaint: str) -> Rendered:
    log.warning("template failed", channel=message.channel, error=complaint)
    note = f"(These are Pinguin's own words: the template of this channel failed. {complaint})"
    told = dataclasses.replace(sheet, facts=[*sheet.facts, Fact("Template", note)])
    return Rendered(sheet.subject, f"{text}\n{note}\n", document(told), message)


def bare(message: Message) -> Rendered:
    """The least that can be said, in a way that cannot fail."""
    lines = [f"{item.kind.upper()} {item.monitor} {item.at.isoformat()} {item.message or ''}" for item in message.items]
    text = "\n".join(lines[:MOST_LINES])
    subject = one_line(lines[0], LONGEST_SUBJECT)
    return Rendered(subject, text, f"<!doctype html><title>{escape(subject)}</title><pre>{escape(text)}</pre>", message)


def variables(message: Message, subject: str, text: str) -> dict[str, Any]:
    """The variables of a template."""
    items = in_order(message.items)[:MOST_LINES]
    return {
        "message": msgspec.structs.replace(message, items=items),
        "items": items,
        "item": items[0],
        "count": len(message.items),
        "more": len(message.items) - len(items),
        "subject": subject,
        "text": text,
    }


def fill(source: str, rendered: Rendered) -> str:
    """What a template makes of a message that is in words already. Raises `TemplateFailed`."""
    try:
        return parsed(source, NAMES).render(variables(rendered.message, rendered.subject, rendered.text))
    except InvalidInput as error:
        raise TemplateFailed(error.fields["template"]) from None


@lru_cache(maxsize=256)
def check(source: str, name: str = "template", *, json: bool = False) -> None:
    """Try `source` with all of our samples. Raises `InvalidInput({name: …})`, with the number of the line.

    json: what it makes must be JSON.
    """
    for sample in SAMPLES if source else ():
        made = preview(source, sample, name)
        if json:
            _check_json(made, sample, name)


def preview(source: str, sample: str = "down", name: str = "template") -> str:
    """What `source` makes of a sample (a key of `SAMPLES`). Raises `InvalidInput({name: …})`."""
    try:
        parsed(source, NAMES)
        return fill(source, _sample(sample))
    except TemplateFailed as error:
        raise InvalidInput({name: f"{error} (tried with the sample {sample!r})"}) from None
    except InvalidInput as error:
        raise InvalidInput({name: error.fields["template"]}) from None


def _check_json(made: str, sample: str, name: str) -> None:
    try:
        msgspec.json.decode(made)
    except (msgspec.DecodeError, RecursionError) as error:
        tip = "put texts in with |tojson, without quotes around it"
        raise InvalidInput({name: f"is not JSON with the sample {sample!r}: {error}; {tip}"}) from None


@cache
def _sample(name: str) -> Rendered:
    return render(SAMPLES[name]())
