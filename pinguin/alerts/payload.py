"""A message as JSON: what a webhook and a script get. New fields may come; none changes its meaning or goes."""

from __future__ import annotations

from typing import Any

import msgspec

from pinguin.alerts.contract import Rendered

VERSION = 1
MOST_WHOLE = 100
"""With more items than this, each comes without `evidence` and `certificate`."""


def payload(rendered: Rendered) -> dict[str, Any]:
    """In plain JSON types; times in ISO 8601."""
    message = rendered.message
    if len(message.items) > MOST_WHOLE:
        bare = [msgspec.structs.replace(item, evidence={}, certificate={}) for item in message.items]
        message = msgspec.structs.replace(message, items=bare)
    facts: dict[str, Any] = msgspec.to_builtins(message)
    return {"version": VERSION, "subject": rendered.subject, "text": rendered.text, **facts}


def encoded(rendered: Rendered) -> bytes:
    return msgspec.json.encode(payload(rendered))
