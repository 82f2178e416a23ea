"""Who is signed in proves it once more, before what would outlast a stolen session: a new token, other people.

A password is proof, and where there is a second factor, a code of it. Wrong ones are counted as at the sign-in.
"""

from __future__ import annotations

from typing import Any

from litestar import Response

from pinguin.errors import SealBroken
from pinguin.store import accounts, audit
from pinguin.store.accounts import Person
from pinguin.web import totp
from pinguin.web.database import connection
from pinguin.web.gate import address, form, principal
from pinguin.web.service import Req, Web, of
from pinguin.web.templating import render
from pinguin.web.throttle import counted, forgive, wait_s

NOT_IT = "is not your password"
NO_CODE = "is neither your password nor the code of now"
TRIES = "was wrong too often; try again in half an hour"


def own_id(request: Req) -> int:
    """Whose session asks."""
    user_id = principal(request).user_id
    assert user_id is not None
    return user_id


async def prove(request: Req, given: str) -> tuple[Person, str]:
    """Who is signed in, and what is wrong with the password, or code, that should prove it; "" for nothing."""
    web = of(request)
    async with connection(web.pool) as conn:
        person = await accounts.person(conn, own_id(request))
    keys = web.door.for_code(address(request), person.id)
    if not given:
        return person, NO_CODE if person.totp_secret else NOT_IT
    if wait_s(keys) > 0:
        return person, TRIES
    with counted(keys):
        if not await _good(web, person, given[:1000]):
            async with connection(web.pool) as conn:
                await audit.sign_in_failed(conn, "password", address(request), person.id, person.name)
            return person, NO_CODE if person.totp_secret else NOT_IT
    forgive(keys)
    return person, ""


async def _good(web: Web, person: Person, given: str) -> bool:
    """A code has six digits, and a password twelve characters at least."""
    if person.totp_secret and len(given.replace(" ", "")) == 6:
        return await _good_code(web, person.id, person.totp_secret, given)
    return await web.passwords.verify(person.password_hash, given)


async def _good_code(web: Web, user_id: int, sealed: str, code: str) -> bool:
    try:
        secret = web.keys.unseal(sealed, totp.place(user_id))
    except SealBroken:
        return False
    step = totp.matching_step(secret, code)
    if step is None:
        return False
    async with connection(web.pool) as conn:
        return await accounts.use_totp_step(conn, user_id, step)


async def unproved(request: Req, what: str, back: str) -> Response[Any] | None:
    """None where the form that was sent proves who sent it; else a page that asks for it, and sends the rest again.

    what: what is about to happen, a sentence. back: the page where nothing happens.
    """
    sent, problem = await form(request), ""
    if given := sent.get("current", ""):
        _, problem = await prove(request, given)
        if not problem:
            return None
    async with connection(of(request).pool) as conn:
        person = await accounts.person(conn, own_id(request))
    return render(
        request,
        "pages/prove.html",
        status_code=422 if given else 200,
        person=person,
        what=what,
        action=request.url.path,
        back=back,
        fields={name: value for name, value in sent.items() if name not in ("_csrf", "current")},
        wrong={"current": problem} if problem else {},
    )
