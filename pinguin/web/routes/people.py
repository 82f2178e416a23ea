"""For owners: who may come in, and what they may do."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from pinguin.errors import Conflict, InvalidInput, NotFound
from pinguin.people import Role
from pinguin.store import accounts
from pinguin.store.accounts import Person
from pinguin.web import people_changes
from pinguin.web.database import connection
from pinguin.web.entering import end_pages
from pinguin.web.gate import OWNER, form, principal
from pinguin.web.people_changes import LINK_S
from pinguin.web.proving import own_id, unproved
from pinguin.web.routes.accounts import wrong_person
from pinguin.web.service import Req, of
from pinguin.web.templating import render

NOTICES = {
    "role": "The role is changed. They are signed out, and come back with the new one.",
    "removed": "Removed, with all sessions and tokens.",
    "off": "Their second factor is off, and they are signed out.",
}


@get("/people", opt=OWNER)
async def show_people(request: Req) -> Template:
    return await _page(request, {})


@post("/people", status_code=200, opt=OWNER)
async def invite(request: Req) -> Response[Any]:
    """A new account without a password, and the link that sets it, shown once."""
    sent = await form(request)
    name, role = sent.get("name", "").strip(), sent.get("role", "")
    wrong = wrong_person(name)
    if role not in list(Role):
        wrong["role"] = f"must be one of {', '.join(Role)}"
    if wrong:
        return await _page(request, wrong, sent=sent, status_code=422)
    if page := await unproved(request, f"{name} is to come in, as {role}.", "/people"):
        return page
    try:
        async with connection(of(request).pool) as conn:
            _, token = await people_changes.invite(conn, principal(request), name, Role(role))
    except InvalidInput as taken:
        return await _page(request, taken.fields, sent=sent, status_code=422)
    return _link(request, name, token, new=True)


@post("/people/{user_id:int}/link", status_code=200, opt=OWNER)
async def new_link(request: Req, user_id: FromPath[int]) -> Response[Any]:
    """For an invitation that expired, or a password that was forgotten. Until it is used, nothing changes for them."""
    person = await _person(request, user_id)
    if page := await unproved(request, f"A link is made that sets the password of {person.name}.", "/people"):
        return page
    async with connection(of(request).pool) as conn:
        token = await people_changes.new_link(conn, principal(request), person)
    return _link(request, person.name, token, new=person.password_hash is None)


@post("/people/{user_id:int}/role", status_code=200, opt=OWNER)
async def change_role(request: Req, user_id: FromPath[int]) -> Response[Any]:
    web, who = of(request), principal(request)
    person = await _person(request, user_id)
    role = (await form(request)).get("role", "")
    if role not in list(Role):
        return await _page(request, {"people": f"The role must be one of {', '.join(Role)}."}, status_code=422)
    if role == person.role:
        return Redirect("/people", status_code=303)
    if page := await unproved(request, f"{person.name}, who is {person.role}, becomes {role}.", "/people"):
        return page
    try:
        async with connection(web.pool) as conn:
            ended = await people_changes.change_role(conn, who, person, Role(role))
    except Conflict as error:
        return await _page(request, {"people": str(error)}, status_code=409)
    end_pages(web, ended)
    return Redirect("/sign-in" if person.id == who.user_id else "/people?notice=role", status_code=303)


@post("/people/{user_id:int}/second-factor/off", status_code=200, opt=OWNER)
async def turn_off(request: Req, user_id: FromPath[int]) -> Response[Any]:
    """For somebody who lost the authenticator and the recovery codes."""
    web, person = of(request), await _person(request, user_id)
    if person.id == principal(request).user_id:
        return await _page(
            request, {"people": "Turn your own second factor off on your account's page."}, status_code=409
        )
    if page := await unproved(request, f"The second factor of {person.name} goes off.", "/people"):
        return page
    async with connection(web.pool) as conn:
        ended = await people_changes.turn_off_second_factor(conn, principal(request), person)
    end_pages(web, ended)
    return Redirect("/people?notice=off", status_code=303)


@get("/people/{user_id:int}/remove", opt=OWNER)
async def show_remove(request: Req, user_id: FromPath[int]) -> Template:
    me = await _person(request, own_id(request))
    return render(request, "pages/remove_person.html", person=await _person(request, user_id), me=me)


@post("/people/{user_id:int}/remove", status_code=200, opt=OWNER)
async def remove(request: Req, user_id: FromPath[int]) -> Response[Any]:
    web, who = of(request), principal(request)
    person = await _person(request, user_id)
    if page := await unproved(request, f"{person.name} is removed, with all sessions and tokens.", "/people"):
        return page
    try:
        async with connection(web.pool) as conn:
            ended = await people_changes.remove(conn, who, person)
    except Conflict as error:
        return await _page(request, {"people": str(error)}, status_code=409)
    end_pages(web, ended)
    return Redirect("/sign-in" if person.id == who.user_id else "/people?notice=removed", status_code=303)


async def _person(request: Req, user_id: int) -> Person:
    if not 0 < user_id < 2**63:
        raise NotFound("There is no such person.")
    async with connection(of(request).pool) as conn:
        return await accounts.person(conn, user_id)


async def _page(
    request: Req, wrong: dict[str, str], *, sent: dict[str, str] | None = None, status_code: int = 200
) -> Template:
    async with connection(of(request).pool) as conn:
        people = await accounts.people(conn)
    return render(
        request,
        "pages/people.html",
        status_code=status_code,
        people=people,
        roles=list(Role),
        wrong=wrong,
        sent=sent or {},
        notice=NOTICES.get(request.query_params.get("notice", ""), ""),
    )


def _link(request: Req, name: str, token: str, *, new: bool) -> Template:
    base = of(request).settings.base_url.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"
    return render(
        request, "pages/link.html", name=name, link=f"{base}/join?token={token}", new=new, days=LINK_S // 86400
    )
