"""Changes of people as owners and their programs make them: with a line in the audit log, in the same transaction.

What is returned as ended are sessions: `entering.end_pages` closes what they had open, after the commit.
"""

from __future__ import annotations

from pinguin.db import Connection
from pinguin.errors import Conflict, InvalidInput
from pinguin.people import Principal, Role
from pinguin.store import accounts, audit, sessions
from pinguin.store.accounts import Person
from pinguin.store.audit import Thing
from pinguin.web.sessions import new_token, token_hash

LINK_S = 3 * 86400
"""How long a one-time link is good."""


async def invite(conn: Connection, who: Principal, name: str, role: Role) -> tuple[int, str]:
    """The new account, without a password, and the token of the link that sets it. Raises `InvalidInput`."""
    token = new_token()
    async with conn.transaction():
        user_id = await accounts.create_invited(conn, name, role)
        if user_id is None:
            raise InvalidInput({"name": "is taken: there is an account of this name"})
        await accounts.invite(conn, user_id, token_hash(token), who.name, LINK_S)
        await audit.write(conn, who, "person.invite", Thing("person", user_id, name), None, {"role": role})
    return user_id, token


async def new_link(conn: Connection, who: Principal, person: Person) -> str:
    """For an invitation that expired, or a password that was forgotten. Until it is used, nothing changes for them."""
    token = new_token()
    async with conn.transaction():
        await accounts.invite(conn, person.id, token_hash(token), who.name, LINK_S)
        await audit.write(conn, who, "person.link", _thing(person))
    return token


async def change_role(conn: Connection, who: Principal, person: Person, role: Role) -> list[bytes]:
    """They are signed out. Raises `Conflict` where no owner would be left."""
    if role == person.role:
        return []
    async with conn.transaction():
        await accounts.set_role(conn, person.id, role)
        ended = await sessions.close_all(conn, person.id)
        await audit.write(conn, who, "person.role", _thing(person), {"role": person.role}, {"role": role})
    return list(ended)


async def turn_off_second_factor(conn: Connection, who: Principal, person: Person) -> list[bytes]:
    """For somebody who lost the authenticator and the recovery codes. They are signed out."""
    if person.id == who.user_id:
        raise Conflict("Turn your own second factor off on your account's page.")
    async with conn.transaction():
        await accounts.set_totp(conn, person.id, None)
        await accounts.replace_codes(conn, person.id, [])
        ended = await sessions.close_all(conn, person.id)
        change = {"second_factor": "on" if person.totp_secret else "off"}, {"second_factor": "off"}
        await audit.write(conn, who, "person.second_factor", _thing(person), *change)
    return list(ended)


async def remove(conn: Connection, who: Principal, person: Person) -> list[bytes]:
    """With all sessions and tokens. Raises `Conflict` where no owner would be left."""
    async with conn.transaction():
        ended = await sessions.close_all(conn, person.id)
        await accounts.remove(conn, person.id)
        await audit.write(conn, who, "person.remove", _thing(person), {"role": person.role}, None)
    return list(ended)


def _thing(person: Person) -> Thing:
    return Thing("person", person.id, person.name)
