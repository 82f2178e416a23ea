"""The views of the list of monitors that you keep: names for filters."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pinguin.errors import InvalidInput
from pinguin.store import audit, listing
from pinguin.store.audit import Thing
from pinguin.web import asked as asking
from pinguin.web.api.operation import Call, operation
from pinguin.web.api.paging import Id
from pinguin.web.api.reading import Body, NoBody, NoQuery
from pinguin.web.asked import LONGEST
from pinguin.web.gate import VIEWER
from pinguin.web.routes.listing import LONGEST_NAME


class View(msgspec.Struct, kw_only=True, frozen=True):
    """query: what stands after the ? in the address of the list. is_default: the list opens with it."""

    id: Id
    name: str
    query: str
    is_default: bool


class Views(msgspec.Struct, frozen=True):
    """By name."""

    items: list[View]


class ViewDefinition(Body, kw_only=True, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
    query: Annotated[str, Meta(max_length=LONGEST, description="such as status=down&tag=shop&sort=name")]
    is_default: bool = False


@operation("GET", "/views")
async def list_views(call: Call[NoQuery, NoBody]) -> Views:
    """Your views of the list of monitors."""
    return await _shown(call)


@operation("PUT", "/views", opt=VIEWER)
async def save_view(call: Call[NoQuery, ViewDefinition]) -> Views:
    """Keep a view; one of yours with the same name is replaced."""
    name = call.body.name.strip()
    if not name or not name.isprintable():
        raise InvalidInput({"name": "must be one line of printable characters"})
    kept = asking.parse_query(call.body.query).link(after="").partition("?")[2]
    made = await listing.save_view(call.conn, _own(call), name, kept, call.body.is_default)
    after = {"query": kept, "default": call.body.is_default}
    await audit.write(call.conn, call.who, "view.save", Thing("view", made, name), None, after)
    return await _shown(call)


@operation("POST", "/views/{id:int}/default", opt=VIEWER)
async def begin_with_view(call: Call[NoQuery, NoBody]) -> Views:
    """The list opens with this view. DELETE undoes that."""
    name = await listing.make_default_view(call.conn, _own(call), call.id)
    await audit.write(call.conn, call.who, "view.begin", Thing("view", call.id, name), None, {"default": True})
    return await _shown(call)


@operation("DELETE", "/views/default", opt=VIEWER)
async def begin_with_all(call: Call[NoQuery, NoBody]) -> None:
    """The list opens with all monitors."""
    await listing.make_default_view(call.conn, _own(call), None)
    await audit.write(call.conn, call.who, "view.begin", Thing("view", None, "all monitors"), None, {"default": True})


@operation("DELETE", "/views/{id:int}", opt=VIEWER)
async def delete_view(call: Call[NoQuery, NoBody]) -> None:
    """Delete a view. Its monitors are as they were."""
    name = await listing.delete_view(call.conn, _own(call), call.id)
    await audit.write(call.conn, call.who, "view.delete", Thing("view", call.id, name), {"name": name}, None)


def _own(call: Call[Any, Any]) -> int:
    assert call.who.user_id is not None
    return call.who.user_id


async def _shown(call: Call[Any, Any]) -> Views:
    found = await listing.views(call.conn, _own(call))
    return Views(msgspec.convert(found, list[View], from_attributes=True))
