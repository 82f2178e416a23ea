"""`pinguin rescue`: the way back in for whoever runs the machine, and nobody else."""

from __future__ import annotations

import re

import pytest

from pinguin.db import Pool, connection
from pinguin.errors import NotFound
from pinguin.people import Role
from pinguin.rescue import rescue
from pinguin.settings import Settings
from pinguin.store import accounts, sessions, tokens
from pinguin.web.sessions import token_hash
from tests.conftest import Services
from tests.factory import fetch
from tests.test_command_line import run


@pytest.fixture
async def ada(pool: Pool) -> int:
    """An owner with everything: a password, a second factor, a session, a token."""
    async with connection(pool) as conn:
        made = await accounts.create_first(conn, "ada", "a hash")
        assert made
        await accounts.set_totp(conn, made, "sealed:v1:x", 7)
        await accounts.replace_codes(conn, made, [b"1" * 32])
        await sessions.open_session(conn, made, b"s" * 32, 600)
        await tokens.create(conn, made, name="ci", token_hash=b"t" * 32, hint="pgn_", scope="write", days=9)
    return made


async def go(stack: Services, name: str | None, *, base: str = "", **wanted: bool) -> None:
    settings = Settings(database_url=stack.database_url, base_url=base)
    wanted = {"factor": False, "revoke": False, "owner": False} | wanted
    assert await rescue(settings, name, **wanted) == 0


async def test_a_link_sets_a_new_password_and_nothing_else_is_lost(
    stack: Services, pool: Pool, ada: int, capsys: pytest.CaptureFixture[str]
) -> None:
    await go(stack, "ADA", base="https://status.example/")
    said = capsys.readouterr().out
    [link] = re.findall(r"https://status\.example/join\?token=([\w-]{40,})", said)
    assert "The second factor stays on" in said
    async with connection(pool) as conn:
        invited = await accounts.invited(conn, token_hash(link))
        person = await accounts.person(conn, ada)
    assert invited is not None
    assert invited.name == "ada"
    assert person.totp_secret
    assert person.password_hash == "a hash"
    assert await fetch(pool, "select from sessions") == []
    assert await fetch(pool, "select revoked_at from api_tokens") == [(None,)]
    [(minutes,)] = await fetch(pool, "select extract(epoch from expires_at - now())::int / 60 from invitations")
    assert 55 <= minutes <= 60
    [(actor, action, name, changes)] = await fetch(
        pool, "select actor, action, object_name, changes from audit order by id desc limit 1"
    )
    assert (actor, action, name) == ("system", "person.rescue", "ada")
    assert link not in str(changes)


async def test_the_second_factor_and_the_tokens_go_where_it_is_said(stack: Services, pool: Pool, ada: int) -> None:
    await go(stack, "ada", factor=True, revoke=True)
    assert await fetch(pool, "select totp_secret from users") == [(None,)]
    assert await fetch(pool, "select from recovery_codes") == []
    assert await fetch(pool, "select revoked_at is not null from api_tokens") == [(True,)]
    [(changes,)] = await fetch(pool, "select changes from audit order by id desc limit 1")
    assert changes["second_factor"] == {"from": "on", "to": "off"}


async def test_somebody_becomes_an_owner_where_the_owner_is_gone(stack: Services, pool: Pool, ada: int) -> None:
    async with connection(pool) as conn:
        await accounts.create_invited(conn, "bob", Role.VIEWER)
    await go(stack, "bob", owner=True)
    assert dict(await fetch(pool, "select name, role from users")) == {"ada": "owner", "bob": "owner"}


async def test_nobody_of_that_name_is_said_and_changes_nothing(stack: Services, pool: Pool, ada: int) -> None:
    with pytest.raises(NotFound, match="there is no account 'eve'"):
        await go(stack, "eve", factor=True)
    assert await fetch(pool, "select from invitations") == []


async def test_the_command_lists_and_makes_links(stack: Services, pool: Pool, ada: int) -> None:
    code, output = await run("rescue", PINGUIN_DATABASE_URL=stack.database_url)
    assert (code, "ada: owner, second factor" in output) == (0, True)
    code, output = await run("rescue", "ada", "--second-factor", PINGUIN_DATABASE_URL=stack.database_url)
    assert (code, "http://127.0.0.1:8080/join?token=" in output) == (0, True)
    code, output = await run("rescue", "eve", PINGUIN_DATABASE_URL=stack.database_url)
    assert (code, "Traceback" in output) == (1, False)
