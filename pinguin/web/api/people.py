"""For owners: who may come in, and what they may do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pinguin.errors import InvalidInput
from pinguin.people import Role
from pinguin.store import accounts
from pinguin.web import people_changes
from pinguin.web.api.operation import Call, operation
from pinguin.web.api.paging import Id, Page, Paged, numbered
from pinguin.web.api.reading import Body, NoBody, NoQuery
from pinguin.web.entering import end_pages
from pinguin.web.gate import OWNER
from pinguin.web.people_changes import LINK_S
from pinguin.web.pushed import base_url
from pinguin.web.routes.accounts import wrong_person

AnyCall = Call[Any, Any]


class Person(msgspec.Struct, kw_only=True, frozen=True):
    """joined: it has a password. link_expires_at: of a one-time link that was not used yet. tokens: how many work."""

    id: Id
    name: str
    role: Role
    joined: bool
    second_factor: bool
    created_at: datetime
    link_expires_at: datetime | None
    seen_at: datetime | None
    tokens: int


class Invitation(Body, kw_only=True, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    role: Role = Role.VIEWER


class NewRole(Body, kw_only=True, frozen=True):
    role: Role


class Invited(msgspec.Struct, kw_only=True, frozen=True):
    """link: shown this once; whoever has it sets the password."""

    id: Id
    name: str
    role: Role
    link: str
    expires_in_s: int


@operation("GET", "/people", opt=OWNER)
async def list_people(call: Call[Paged, NoBody]) -> Page[Person]:
    """Everybody who may come in. For owners."""
    rows, following = numbered(await accounts.people(call.conn), call.query)
    return Page(msgspec.convert(rows, list[Person], from_attributes=True), call.following(following))


@operation("GET", "/people/{id:int}", opt=OWNER, etag=True)
async def show_person(call: Call[NoQuery, NoBody]) -> Person:
    """One of them. For owners."""
    return await _shown(call, call.id)


@operation("POST", "/people", opt=OWNER, status=201, secret=True)
async def invite_person(call: Call[NoQuery, Invitation]) -> Invited:
    """A new account without a password, and the link that sets it, shown this once. For owners."""
    name = call.body.name.strip()
    if wrong := wrong_person(name):
        raise InvalidInput(wrong)
    made, token = await people_changes.invite(call.conn, call.who, name, call.body.role)
    call.made(f"/people/{made}")
    return _invited(call, made, name, call.body.role, token)


@operation("POST", "/people/{id:int}/link", opt=OWNER, secret=True)
async def make_link(call: Call[NoQuery, NoBody]) -> Invited:
    """A one-time link for an invitation that expired, or a password that was forgotten. For owners."""
    person = await accounts.person(call.conn, call.id)
    token = await people_changes.new_link(call.conn, call.who, person)
    return _invited(call, person.id, person.name, Role(person.role), token)


@operation("PATCH", "/people/{id:int}", opt=OWNER, etag=True, if_match=True)
async def change_person(call: Call[NoQuery, NewRole]) -> Person:
    """Change somebody's role; they are signed out. 409 where no owner would be left. For owners."""
    before = await accounts.person(call.conn, call.id)
    call.unless_changed(_mark(before.id, before.role))
    ended = await people_changes.change_role(call.conn, call.who, before, call.body.role)
    _end(call, ended)
    return await _shown(call, call.id)


@operation("POST", "/people/{id:int}/second-factor/off", opt=OWNER, etag=True)
async def turn_second_factor_off(call: Call[NoQuery, NoBody]) -> Person:
    """For somebody who lost the authenticator and the recovery codes. For owners."""
    person = await accounts.person(call.conn, call.id)
    _end(call, await people_changes.turn_off_second_factor(call.conn, call.who, person))
    return await _shown(call, call.id)


@operation("DELETE", "/people/{id:int}", opt=OWNER)
async def remove_person(call: Call[NoQuery, NoBody]) -> None:
    """Remove somebody, with all sessions and tokens. 409 where no owner would be left. For owners."""
    person = await accounts.person(call.conn, call.id)
    _end(call, await people_changes.remove(call.conn, call.who, person))


def _end(call: AnyCall, ended: list[bytes]) -> None:
    async def end() -> None:
        end_pages(call.web, ended)

    call.later.append(end)


def _mark(user_id: int, role: str) -> str:
    return f"person {user_id} {role}"


async def _shown(call: AnyCall, user_id: int) -> Person:
    await accounts.person(call.conn, user_id)
    found = next(each for each in await accounts.people(call.conn) if each.id == user_id)
    call.mark = _mark(found.id, found.role)
    return msgspec.convert(found, Person, from_attributes=True)


def _invited(call: AnyCall, user_id: int, name: str, role: Role, token: str) -> Invited:
    link = f"{base_url(call.request)}/join?token={token}"
    return Invited(id=user_id, name=name, role=role, link=link, expires_in_s=LINK_S)
