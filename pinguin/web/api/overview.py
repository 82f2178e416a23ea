"""All of it in a few numbers: how many monitors are what, what is open, and whether Pinguin itself is well."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from pinguin.model import Status
from pinguin.store import incidents, listing, monitors, upkeep
from pinguin.store.monitors import Filter
from pinguin.web.api.operation import Call, operation
from pinguin.web.api.reading import NoBody, NoQuery


class Trouble(msgspec.Struct, kw_only=True, frozen=True):
    """Something that is wrong with Pinguin itself."""

    code: str
    region: str
    message: str
    started_at: datetime


class Summary(msgspec.Struct, kw_only=True, frozen=True):
    monitors: Annotated[dict[Status, int], Meta(description="how many have each status")]
    open_incidents: int
    acknowledged_incidents: Annotated[int, Meta(description="of the open ones")]
    trouble: list[Trouble]


class Tag(msgspec.Struct, kw_only=True, frozen=True):
    tag: str
    monitors: Annotated[dict[Status, int], Meta(description="how many of its monitors have each status")]


class Tags(msgspec.Struct, frozen=True):
    """By name; 200 at most."""

    items: list[Tag]


@operation("GET", "/summary")
async def show_summary(call: Call[NoQuery, NoBody]) -> Summary:
    """How many monitors are what, how many incidents are open, and what is wrong with Pinguin itself."""
    found = await monitors.counts(call.conn)
    opened, acknowledged = await incidents.counts(call.conn)
    trouble = msgspec.convert(await upkeep.problems(call.conn, timedelta(0)), list[Trouble], from_attributes=True)
    return Summary(monitors=found, open_incidents=opened, acknowledged_incidents=acknowledged, trouble=trouble)


@operation("GET", "/tags")
async def list_tags(call: Call[NoQuery, NoBody]) -> Tags:
    """The tags in use, and how their monitors are."""
    groups = [each for each in await listing.groups(call.conn, Filter()) if each.tag]
    every = [Tag(tag=each.tag, monitors={status: each.counts.get(status, 0) for status in Status}) for each in groups]
    return Tags(every)
