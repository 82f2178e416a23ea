"""The API about itself: who asks, and what there is to ask."""

from __future__ import annotations

import msgspec

from pinguin.people import Role, Scope
from pinguin.web.api.operation import Call, operation
from pinguin.web.api.paging import Id
from pinguin.web.api.reading import NoBody, NoQuery
from pinguin.web.gate import METRICS


class User(msgspec.Struct, frozen=True):
    """role: what the token may do; never more than the person may."""

    id: Id
    name: str
    role: Role


class OwnToken(msgspec.Struct, frozen=True):
    id: Id
    name: str
    scope: Scope


class Me(msgspec.Struct, frozen=True):
    user: User
    token: OwnToken


@operation("GET", "/me", opt=METRICS, holds="nothing")
async def show_me(call: Call[NoQuery, NoBody]) -> Me:
    """Whose token this is: the first thing to ask, and the smallest."""
    who = call.who
    assert who.user_id is not None
    assert who.token_id is not None
    assert who.scope is not None
    return Me(User(who.user_id, who.name, who.role), OwnToken(who.token_id, who.token_name or "", who.scope))
