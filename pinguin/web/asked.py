"""What of the list of monitors is wanted, as it stands in the address: all of its state is there."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, get_args
from urllib.parse import parse_qsl, urlencode

import msgspec
from litestar.datastructures import MultiDict
from litestar.datastructures.multi_dicts import MultiMixin

from pinguin.errors import InvalidInput
from pinguin.model import Status
from pinguin.store.monitors import Filter, Listed, Place, Sort

ORDER = ("down", "degraded", "unknown", "pending", "up", "maintenance", "paused")
"""Statuses as the list sorts them."""
SORTS: Mapping[Sort, str] = {
    "status": "Worst first",
    "name": "By name",
    "latency": "Slowest first",
    "uptime": "Lowest uptime first",
    "change": "Latest change first",
    "interval": "Shortest interval first",
}
HOME = "/monitors"
MOST_TAGS = 10
LONGEST = 2000
"""Characters of an address's query that are kept in a view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """tags: all of them. open: the groups that are unfolded, "" is that without a tag; None leaves it to the page."""

    q: str = ""
    status: str = ""
    type: str = ""
    tags: tuple[str, ...] = ()
    sort: Sort = "status"
    group: bool = False
    open: tuple[str, ...] | None = None
    after: str = ""

    @property
    def filter(self) -> Filter:
        return Filter(search=self.q or None, status=self.status or None, type=self.type or None, tags=self.tags)

    @property
    def narrowed(self) -> bool:
        """Whether it is less than all monitors, whatever their status."""
        return bool(self.q or self.type or self.tags)

    @property
    def moves(self) -> bool:
        """Whether a change of status changes which monitors are shown, or their order."""
        return bool(self.status or self.group) or self.sort in ("status", "change")

    @property
    def query(self) -> str:
        """What stands after the ?; "" is the list as it comes."""
        pairs = [("q", self.q), ("status", self.status), ("type", self.type), *(("tag", tag) for tag in self.tags)]
        pairs.append(("sort", "" if self.sort == "status" else self.sort))
        if self.group:
            pairs.append(("group", "tag"))
            pairs += [("open", tag) for tag in self.open or ()]
            pairs += [("rest", "1")] if "" in (self.open or ()) else []
            pairs += [("shut", "1")] if self.open == () else []
        pairs.append(("after", self.after))
        return urlencode([(name, value) for name, value in pairs if value])

    def link(self, **changes: Any) -> str:
        """The address of this list with `changes`, from its first page on; never the bare one, which is a view."""
        return f"{HOME}?{replace(self, **{'after': '', **changes}).query or 'sort=status'}"

    def with_tag(self, tag: str) -> str:
        return _with_tag(self, tag)

    def without_tag(self, tag: str) -> str:
        return self.link(tags=tuple(each for each in self.tags if each != tag))

    def toggled(self, tag: str, unfolded: tuple[str, ...]) -> str:
        """With the group folded or unfolded, `unfolded` being those that are."""
        rest = tuple(each for each in unfolded if each != tag)
        return self.link(open=rest if tag in unfolded else (*rest, tag))

    @property
    def place(self) -> Place | None:
        """After which row the page begins. Raises `InvalidInput`."""
        return _place(self.after)


@lru_cache(maxsize=1024)
def _with_tag(asked: Asked, tag: str) -> str:
    """A page has it three times a row, of a few tags."""
    return asked.link(tags=tuple(sorted({*asked.tags, tag})))


def parse(given: MultiMixin[Any]) -> Asked:
    """Raises `InvalidInput` for what is no status and no order. A NUL is in no name, and Postgres takes none."""
    status, sort, group = (_text(given.get(name)) for name in ("status", "sort", "group"))
    if status and status not in list(Status):
        raise InvalidInput({"status": f"{status[:40]!r} is none; there are {', '.join(ORDER)}"})
    if sort and sort not in SORTS:
        raise InvalidInput({"sort": f"{sort[:40]!r} is no order; there are {', '.join(SORTS)}"})
    tags = tuple(sorted(_texts(given, "tag")))
    if len(tags) > MOST_TAGS:
        raise InvalidInput({"tag": f"may be given {MOST_TAGS} times at most"})
    if group not in ("", "tag", "on"):
        raise InvalidInput({"group": "must be tag, or not be there"})
    opened: tuple[str, ...] = _texts(given, "open") + (("",) if given.get("rest") else ())
    return Asked(
        q=_text(given.get("q")),
        status=status,
        type=_text(given.get("type")),
        tags=tags,
        sort=next((each for each in get_args(Sort) if each == sort), "status"),
        group=bool(group),
        open=opened or (() if given.get("shut") else None),
        after=str(given.get("after") or "")[:1000],
    )


def parse_query(query: str) -> Asked:
    """From the query of an address. Raises `InvalidInput`."""
    try:
        return parse(MultiDict(parse_qsl(query, max_num_fields=100)))
    except ValueError as error:
        raise InvalidInput({"query": "has too many parts"}) from error


def cursor(last: Listed, place: Place) -> str:
    """The place after `last`. place: where its page began, or would: it says as of when uptime counts."""
    text = msgspec.json.encode(Place(last.rank, last.sort_name, last.id, place.as_of))
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _place(text: str) -> Place | None:
    if not text:
        return None
    wrong = InvalidInput({"after": "is not a place in the list; start from its first page"})
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Place)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise wrong from None
    as_of = place.as_of
    if not 0 <= place.id < 2**63 or "\x00" in place.name or (as_of and not (as_of.tzinfo and 1990 < as_of.year < 9000)):
        raise wrong
    return place


def _text(value: Any) -> str:
    return str(value or "").replace("\x00", "\ufffd").strip()[:200]


def _texts(given: MultiMixin[Any], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for value in given.getall(name, []) if (text := _text(value))))
