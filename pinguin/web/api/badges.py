"""The link by which anybody may see a monitor's badges."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pinguin.store import badges as store
from pinguin.store import monitors
from pinguin.web import badges
from pinguin.web.api.operation import Call, operation
from pinguin.web.api.reading import NoBody, NoQuery
from pinguin.web.pushed import base_url


class BadgeLink(msgspec.Struct, kw_only=True, frozen=True):
    """created_at: null while there is no link, and only people who are signed in see the badges."""

    created_at: datetime | None
    addresses: Annotated[dict[str, str], Meta(description="by kind: status, uptime, latency, certificate")]


@operation("GET", "/monitors/{id:int}/badge-link")
async def show_badge_link(call: Call[NoQuery, NoBody]) -> BadgeLink:
    """The link by which anybody may see a monitor's badges, if there is one."""
    await monitors.get(call.conn, call.id)
    return await _shown(call)


@operation("POST", "/monitors/{id:int}/badge-link")
async def open_badge_link(call: Call[NoQuery, NoBody]) -> BadgeLink:
    """Let anybody with the link see the badges. One that is there stays."""
    await badges.open_link(call.conn, call.who, call.id)
    return await _shown(call)


@operation("DELETE", "/monitors/{id:int}/badge-link")
async def close_badge_link(call: Call[NoQuery, NoBody]) -> None:
    """Take the link back. It shows nothing any more; a new one has another key."""
    await badges.close_link(call.conn, call.who, call.id)


async def _shown(call: Call[Any, Any]) -> BadgeLink:
    found = await store.link(call.conn, call.id)
    every = badges.addresses(base_url(call.request), call.id, found.key if found else None)
    return BadgeLink(created_at=found.created_at if found else None, addresses=every)
