"""Lists, a page at a time. A cursor says after which row the next page begins, so that nothing is skipped or shown
twice while rows come and go. Nobody but us reads it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Generic, Protocol, TypeVar

import msgspec
from msgspec import Meta

from pinguin.errors import InvalidInput
from pinguin.web.api.reading import FIRST, LAST, Query

T = TypeVar("T")
Row = TypeVar("Row")
Place = TypeVar("Place", bound=msgspec.Struct)

MOST = 500
Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]


Limit = Annotated[int, Meta(ge=1, le=MOST, description="how many items one answer has at most")]
Cursor = Annotated[str, Meta(max_length=1000, description="where to go on: from `next` of the page before")]


class Paged(Query, frozen=True):
    """A query of a list."""

    limit: Limit = 50
    cursor: Cursor = ""


class Page(msgspec.Struct, Generic[T], frozen=True):
    """items: of this page. next: the address of the page that follows; null on the last one."""

    items: list[T]
    next: Annotated[str | None, Meta(description="the address of the page that follows; null: there is none")]


class At(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A place in a list that is ordered by a moment, then by number."""

    at: Annotated[datetime, Meta(tz=True)]
    id: Annotated[int, Meta(ge=0, le=2**63 - 1)]

    @property
    def pair(self) -> tuple[datetime, int]:
        return self.at, self.id


class Number(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A place in a list that is ordered by number."""

    id: Annotated[int, Meta(ge=0, le=2**63 - 1)]


def cursor(place: msgspec.Struct) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place(text: str, kind: type[Place]) -> Place | None:
    """What `cursor` wrote; None for none. Raises `InvalidInput`."""
    if not text:
        return None
    try:
        found = msgspec.json.decode(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True), type=kind)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise _bad() from None
    for value in (getattr(found, name) for name in kind.__struct_fields__):
        if (isinstance(value, datetime) and not FIRST <= value <= LAST) or (isinstance(value, str) and "\0" in value):
            raise _bad()
    return found


def _bad() -> InvalidInput:
    return InvalidInput({"cursor": "is not a place in this list; start from its first page"})


def cut(rows: Sequence[Row], limit: int, place_of: Callable[[Row], msgspec.Struct]) -> tuple[Sequence[Row], str | None]:
    """Of `limit` + 1 rows that were asked for: those of this page, and the cursor of the next one."""
    return rows[:limit], cursor(place_of(rows[limit - 1])) if len(rows) > limit else None


class Numbered(Protocol):
    @property
    def id(self) -> int: ...


Thing = TypeVar("Thing", bound=Numbered)


def numbered(rows: Sequence[Thing], wanted: Paged) -> tuple[Sequence[Thing], str | None]:
    """A page of things of which there are few, by their numbers; and the cursor of the next one."""
    after = place(wanted.cursor, Number)
    left = sorted((each for each in rows if after is None or each.id > after.id), key=lambda each: each.id)
    return cut(left[: wanted.limit + 1], wanted.limit, lambda each: Number(each.id))
