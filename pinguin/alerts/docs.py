"""docs/alerts.md, written from the code: `python -m pinguin.alerts.docs`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from pinguin.alerts import filters
from pinguin.alerts.budget import MOST_CHARACTERS, MOST_STEPS
from pinguin.alerts.channels import channel_types
from pinguin.alerts.channels.webhook import SIGNATURE, TIMESTAMP
from pinguin.alerts.contract import KINDS, ChannelType, Item, Message, Vote
from pinguin.alerts.payload import MOST_WHOLE, payload
from pinguin.alerts.render import VARIABLES, preview, render
from pinguin.alerts.samples import SAMPLES
from pinguin.alerts.sandbox import MOST_OUTPUT, MOST_SOURCE
from pinguin.fields.markdown import escaped, table

PATH = Path(__file__).parents[2] / "docs" / "alerts.md"

HEAD = """\
# Alerts

Written by `python -m pinguin.alerts.docs` from the code; a test compares the two. Do not edit it.

A channel is where alerts go. Its secret options are sealed in the database with the key of `PINGUIN_SECRET_KEY`, and
are never shown again. “Send a test” sends a real message and shows what was answered.
"""

TEMPLATES = f"""\
## Templates

A channel's subject and text may be [Jinja](https://jinja.palletsprojects.com/en/stable/templates/) templates; without
one, Pinguin words them itself. There are `{{% if %}}`, `{{% for %}}`, `{{% set %}}` and the filters below; there are no
macros, includes or calls. A key that `evidence` or `certificate` does not have is nothing; an unknown field is an
error, which is found when the template is saved.

A template has at most {MOST_SOURCE:,} characters and makes at most {MOST_OUTPUT:,}; its loops come to at most
{MOST_STEPS:,} steps, and all texts that it makes on its way to {MOST_CHARACTERS:,} characters. One that fails all the
same when an alert goes out loses nothing: Pinguin's own words go out, with what was wrong.

Every time is in UTC. `{{{{ item.at }}}}` is `2026-01-08 12:00:05 UTC`, `{{{{ item.at|clock }}}}` is `12:00 UTC`,
`{{{{ 7500|duration }}}}` is `2 h 5 min`.
"""

SNIPPET = '''\
import hashlib
import hmac
import time


def is_genuine(secret: str, headers: dict[str, str], body: bytes, tolerance_s: float = 300) -> bool:
    """Whether Pinguin sent this just now. `body` as it came, before it is parsed."""
    timestamp, signature = headers["X-Pinguin-Timestamp"], headers["X-Pinguin-Signature"]
    signed = timestamp.encode() + b"." + body
    expected = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature, expected) and abs(time.time() - int(timestamp)) <= tolerance_s
'''

SIGNING = f"""\
## Verifying a webhook

With a signing secret, each request carries `{TIMESTAMP}`, seconds since 1970, and `{SIGNATURE}`: `sha256=` and the
HMAC-SHA256 of the timestamp, a dot and the body, in hexadecimal. Refuse what is older than some minutes, so that nobody
sends again what they overheard.

```python
{SNIPPET}```
"""

JSON_HEAD = f"""\
## The message as JSON

What a webhook without a template sends, and what a script reads. New fields may come; none goes, and none changes its
meaning while `version` stays. With more than {MOST_WHOLE} items, each comes without `evidence` and `certificate`.
"""

TEMPLATE_EXAMPLES: Sequence[tuple[str, str, str]] = (
    (
        "A subject with the first tag in front:",
        "{% if item.tags %}[{{ item.tags|first }}] {% endif %}{{ subject }}",
        "down",
    ),
    (
        "A text of few words, for a phone:",
        "{% for item in items %}{{ item.kind|upper }} {{ item.monitor }}"
        "{% if item.duration_s %} ({{ item.duration_s|duration }}){% endif %}\n{% endfor %}"
        "{% if more %}and {{ more }} more\n{% endif %}",
        "up",
    ),
    (
        "JSON for a webhook:",
        '{"title": {{ subject|tojson }}, "since": {{ item.at|iso|tojson }}, "tags": {{ item.tags|tojson }}}',
        "down",
    ),
)
"""A sentence, a template, and the sample that it is shown with."""


def text() -> str:
    """The whole file."""
    kinds = list(channel_types().values())
    contents = "\n".join(f"- [{kind.title}](#{kind.name})" for kind in kinds)
    sections = [
        HEAD,
        f"{contents}\n",
        *map(_channel, kinds),
        TEMPLATES,
        _variables(),
        _kinds(),
        _filters(),
        _templates(),
    ]
    return "\n".join([*sections, SIGNING, JSON_HEAD, _json()])


def _channel(kind: ChannelType) -> str:
    head = f'## <a name="{kind.name}"></a>{kind.title}: `{kind.name}`\n\n{kind.doc}\n'
    examples = (f"{words}\n\n{_fenced(dict(values))}" for words, values in kind.examples)
    return "\n".join([head, table(kind.options), "### Examples\n", *examples])


def _variables() -> str:
    head = _rows("variable", [(f"`{name}`", f"`{kind}`", words) for name, (kind, words) in VARIABLES.items()])
    return "\n".join([head, *(f"### {struct.__name__}\n\n{_struct(struct)}" for struct in (Message, Item, Vote))])


def _struct(struct: type[msgspec.Struct]) -> str:
    hints = get_type_hints(struct, include_extras=True)
    return _rows("field", [(f"`{name}`", f"`{_type(hint)}`", _meaning(hint)) for name, hint in hints.items()])


def _type(hint: Any) -> str:
    """As a person writes it: str or none, list of Vote."""
    if get_origin(hint) is Annotated:
        return _type(get_args(hint)[0])
    parts = get_args(hint)
    if type(None) in parts:
        return f"{_type(parts[0])} or none"
    if get_origin(hint) is Sequence or str(hint).startswith("collections.abc.Sequence"):
        return f"list of {_type(parts[0])}"
    if str(hint).startswith("collections.abc.Mapping"):
        return f"{_type(parts[0])} to {_type(parts[1])}"
    return {"Any": "anything"}.get(getattr(hint, "__name__", str(hint)), getattr(hint, "__name__", str(hint)))


def _meaning(hint: Any) -> str:
    return next(str(meta.description) for meta in hint.__metadata__ if isinstance(meta, msgspec.Meta))


def _kinds() -> str:
    rows = "".join(f"| `{kind}` | {words} |\n" for kind, words in KINDS.items())
    return f"### Kinds\n\n| `item.kind` | means |\n|---|---|\n{rows}"


def _filters() -> str:
    ours = "".join(f"| `{name}` | {escaped(function.__doc__ or '')} |\n" for name, function in filters.OWN.items())
    theirs = sorted([*filters.LOOK_AT_ONE, *filters.LOOK_AT_EACH, *filters.COMPARE, *filters.MAKE_TEXT])
    words = f"And of Jinja's own: {_list(theirs)}. Tests: {_list(filters.TESTS)}.\n"
    return f"### Filters\n\n| filter | makes |\n|---|---|\n{ours}\n{words}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _templates() -> str:
    parts = (
        f"{words}\n\n```jinja\n{source}\n```\n\n```\n{preview(source, sample).rstrip()}\n```\n"
        for words, source, sample in TEMPLATE_EXAMPLES
    )
    return "\n".join(["### Examples of templates\n", *parts])


def _json() -> str:
    return _fenced(payload(render(SAMPLES["down"]())))


def _fenced(value: Mapping[str, Any]) -> str:
    return f"```json\n{json.dumps(value, ensure_ascii=False, indent=2)}\n```\n"


def _rows(first: str, rows: Iterable[Sequence[str]]) -> str:
    lines = "".join("| " + " | ".join(map(escaped, row)) + " |\n" for row in rows)
    return f"| {first} | type | meaning |\n|---|---|---|\n{lines}"


def main() -> None:
    PATH.write_text(text(), encoding="utf-8")
    print(f"{PATH.relative_to(PATH.parents[1])}: {len(channel_types())} kinds of channels")


if __name__ == "__main__":
    main()
