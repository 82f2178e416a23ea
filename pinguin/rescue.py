"""`pinguin rescue NAME`: for whoever lost a password or a second factor, and has nobody to ask for a link.

Whoever can run it can read the database anyway. It is written in the audit log, as the system's doing.
"""

from __future__ import annotations

from pinguin.db import Connection, connection, make_pool
from pinguin.embedded.attach import attached
from pinguin.errors import NotFound
from pinguin.people import SYSTEM, Role
from pinguin.settings import Settings
from pinguin.store import accounts, audit, sessions, tokens
from pinguin.store.accounts import Person
from pinguin.store.audit import CHANGED, Thing
from pinguin.web.sessions import new_token, token_hash

LINK_S = 3600


async def rescue(settings: Settings, name: str | None, *, factor: bool, revoke: bool, owner: bool) -> int:
    """Print a link that sets a new password, once; without a name, who there is.

    factor: take the second factor away. revoke: the API tokens too. owner: make them one. Raises `NotFound`.
    """
    settings = attached(settings)
    async with make_pool(settings.database_url, 1) as pool, connection(pool) as conn:
        if not name:
            await _list(conn)
            return 0
        found = await accounts.by_name(conn, name)
        if found is None:
            raise NotFound(f"there is no account {name!r}; `pinguin rescue` alone lists them")
        link = new_token()
        async with conn.transaction():
            person = await accounts.person(conn, found.id)
            await accounts.invite(conn, person.id, token_hash(link), "pinguin rescue", LINK_S)
            await sessions.close_all(conn, person.id)
            done = await _reset(conn, person, factor=factor, revoke=revoke, owner=owner)
            before, after = {key: was for key, (was, _) in done.items()}, {key: now for key, (_, now) in done.items()}
            await audit.write(conn, SYSTEM, "person.rescue", Thing("person", person.id, person.name), before, after)
    _say(person, f"{_base(settings)}/join?token={link}", factor=factor, revoke=revoke)
    return 0


async def _reset(
    conn: Connection, person: Person, *, factor: bool, revoke: bool, owner: bool
) -> dict[str, tuple[str, str]]:
    """What was changed: by field, what it was and what it is."""
    done = {"link": ("none", CHANGED)}
    if factor:
        await accounts.set_totp(conn, person.id, None)
        await accounts.replace_codes(conn, person.id, [])
        done["second_factor"] = ("on" if person.totp_secret else "off", "off")
    if revoke:
        await tokens.revoke_all(conn, person.id)
        done["tokens"] = (CHANGED, "revoked")
    if owner:
        await accounts.set_role(conn, person.id, Role.OWNER)
        done["role"] = (person.role, Role.OWNER.value)
    return done


async def _list(conn: Connection) -> None:
    for each in await accounts.people(conn):
        factor = ", second factor" if each.second_factor else ""
        print(f"{each.name}: {each.role}{factor}" + ("" if each.joined else ", invited"))
    print("\n`pinguin rescue NAME` makes a link that sets a new password; `pinguin rescue --help` says what else.")


def _say(person: Person, link: str, *, factor: bool, revoke: bool) -> None:
    print(f"{person.name} is signed out everywhere. This sets a new password, once, within an hour:\n\n  {link}\n")
    if person.totp_secret and not factor:
        print("The second factor stays on: --second-factor takes it away, with the recovery codes.")
    if not revoke:
        print("API tokens stay: --tokens revokes them, for an account that somebody else got hold of.")


def _base(settings: Settings) -> str:
    host = f"[{settings.web_host}]" if ":" in settings.web_host else settings.web_host
    return settings.base_url.rstrip("/") or f"http://{host}:{settings.web_port}"
