"""Who acts: roles, and principals. How somebody proved who they are (a password, a token) does not matter here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Scope = Literal["read", "write", "people", "metrics"]
"""What an API token may be used for: write is never more than an editor may, people is all that its person may."""


class Role(StrEnum):
    """Each may do all that those before it may."""

    VIEWER = "viewer"
    EDITOR = "editor"
    OWNER = "owner"

    def allows(self, least: Role) -> bool:
        """Whether it is `least` or more."""
        return _RANK[self] >= _RANK[least]


_RANK = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody, or something, that asks for things.

    user_id: None for Pinguin itself, and before a sign-in. session_id, token_id: how they came, if so.
    role: what they may do, a token's scope taken into account. scope: None without a token.
    """

    name: str
    role: Role
    user_id: int | None = None
    session_id: int | None = None
    token_id: int | None = None
    token_name: str | None = None
    scope: Scope | None = None
    address: str = ""

    def may(self, least: Role) -> bool:
        return self.role.allows(least)


SYSTEM = Principal(name="system", role=Role.OWNER)


def nobody(address: str) -> Principal:
    """Who has not signed in."""
    return Principal(name="nobody", role=Role.VIEWER, address=address)
