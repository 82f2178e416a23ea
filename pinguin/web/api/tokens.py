"""One's own API tokens. They are made on the page of the account, by somebody who proves who they are."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from pinguin.errors import NotFound
from pinguin.people import Scope
from pinguin.store import audit
from pinguin.store import tokens as store
from pinguin.store.audit import Thing
from pinguin.web.api.operation import Call, operation
from pinguin.web.api.paging import Id, Page, Paged, numbered
from pinguin.web.api.reading import NoBody, NoQuery
from pinguin.web.gate import VIEWER


class Token(msgspec.Struct, kw_only=True, frozen=True):
    """live: neither revoked nor expired. Those that ended are listed for a month."""

    id: Id
    name: str
    hint: Annotated[str, Meta(description="its first letters")]
    scope: Scope
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    live: bool


@operation("GET", "/tokens")
async def list_tokens(call: Call[Paged, NoBody]) -> Page[Token]:
    """Your tokens."""
    assert call.who.user_id is not None
    rows, following = numbered(await store.of_user(call.conn, call.who.user_id), call.query)
    return Page(msgspec.convert(rows, list[Token], from_attributes=True), call.following(following))


@operation("DELETE", "/tokens/{id:int}", opt=VIEWER)
async def revoke_token(call: Call[NoQuery, NoBody]) -> None:
    """Revoke a token of yours: this one too."""
    assert call.who.user_id is not None
    name = await store.revoke(call.conn, call.who.user_id, call.id)
    if name is None:
        raise NotFound("There is no such token (any more).")
    await audit.write(call.conn, call.who, "token.revoke", Thing("token", call.id, name), {"live": True}, None)
