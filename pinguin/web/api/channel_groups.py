"""Groups of channels, which alert rules may name."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pinguin.errors import InvalidInput, NotFound
from pinguin.store import channels as store
from pinguin.store.channels import Group as StoredGroup
from pinguin.web import audited
from pinguin.web.api.operation import Call, operation
from pinguin.web.api.paging import Id, Page, Paged, numbered
from pinguin.web.api.reading import Body, NoBody, NoQuery

AnyCall = Call[Any, Any]


class Group(msgspec.Struct, kw_only=True, frozen=True):
    id: Id
    name: str
    channels: list[Id]


class GroupDefinition(Body, kw_only=True, frozen=True):
    """What people write of a group of channels."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    channels: Annotated[list[Id], Meta(max_length=200)] = msgspec.field(default_factory=list)


@operation("GET", "/channel-groups")
async def list_groups(call: Call[Paged, NoBody]) -> Page[Group]:
    """Groups of channels, which alert rules may name."""
    rows, following = numbered(await store.groups(call.conn), call.query)
    return Page([_group(each) for each in rows], call.following(following))


@operation("GET", "/channel-groups/{id:int}", etag=True)
async def show_group(call: Call[NoQuery, NoBody]) -> Group:
    """One group of channels."""
    return await _group_shown(call, call.id)


@operation("POST", "/channel-groups", status=201, etag=True)
async def create_group(call: Call[NoQuery, GroupDefinition]) -> Group:
    """A new group of channels."""
    made = await store.create_group(call.conn, call.body.name, await _members(call))
    look = audited.group(call.conn, made)
    await audited.created(call.conn, call.who, "group.create", "group", made, look)
    call.made(f"/channel-groups/{made}")
    return await _group_shown(call, made)


@operation("PUT", "/channel-groups/{id:int}", etag=True, if_match=True)
async def replace_group(call: Call[NoQuery, GroupDefinition]) -> Group:
    """The name of a group, and its channels."""
    before = await _get_group(call, call.id)
    call.unless_changed(_group_mark(before))
    members = await _members(call)
    look = audited.group(call.conn, before.id)
    async with audited.changing(call.conn, call.who, "group.edit", "group", before.id, look):
        await store.update_group(call.conn, before.id, before.mark, call.body.name, members)
    return await _group_shown(call, before.id)


@operation("DELETE", "/channel-groups/{id:int}", if_match=True)
async def delete_group(call: Call[NoQuery, NoBody]) -> None:
    """Delete a group. Rules that name it go on without it."""
    before = await _get_group(call, call.id)
    call.unless_changed(_group_mark(before))
    look = audited.group(call.conn, before.id)
    async with audited.changing(call.conn, call.who, "group.delete", "group", before.id, look):
        await store.delete_group(call.conn, before.id)


async def _members(call: Call[NoQuery, GroupDefinition]) -> list[int]:
    """Raises `InvalidInput` where one is not there."""
    known = {each.id for each in (await store.choices(call.conn)).channels}
    if gone := [each for each in call.body.channels if each not in known]:
        raise InvalidInput({"channels": f"must exist: there is no channel {gone[0]}"})
    return list(dict.fromkeys(call.body.channels))


async def _get_group(call: AnyCall, group_id: int) -> StoredGroup:
    found = next((each for each in await store.groups(call.conn) if each.id == group_id), None)
    if found is None:
        raise NotFound(f"There is no group {group_id}.")
    return found


def _group_mark(group: StoredGroup) -> str:
    return f"group {group.id} {group.mark}"


async def _group_shown(call: AnyCall, group_id: int) -> Group:
    found = await _get_group(call, group_id)
    call.mark = _group_mark(found)
    return _group(found)


def _group(found: StoredGroup) -> Group:
    return Group(id=found.id, name=found.name, channels=found.channel_ids)
