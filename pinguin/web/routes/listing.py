"""The list of monitors, and the views of it that people keep."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from pinguin.errors import InvalidInput, NotFound
from pinguin.store import audit, listing
from pinguin.store.audit import Thing
from pinguin.web import asked as asking
from pinguin.web import list_page
from pinguin.web.asked import HOME, LONGEST, ORDER, SORTS, Asked
from pinguin.web.database import connection
from pinguin.web.gate import VIEWER, form, principal
from pinguin.web.list_page import ListPage
from pinguin.web.monitor_form import offered
from pinguin.web.service import Req, is_fragment, of
from pinguin.web.templating import render

LONGEST_NAME = 60
NOTICES = {
    "none": "Nothing was ticked, so nothing was changed.",
    "same": "They were like that already: nothing was changed.",
    "undone": "Undone. All is as it was before.",
    "partly": "Undone, but for monitors that were changed meanwhile: those stay as they are.",
    "late": "It is too late to undo this, or it was undone already.",
    "saved": "The view is saved.",
    "removed": "The view is deleted. Its monitors are as they were.",
}


@get(HOME)
async def show_list(request: Req) -> Response[Any]:
    """The bare address is that of the view which somebody chose to begin with."""
    if request.url.path == HOME and not request.url.query and (begin := await _first_view(request)):
        return Redirect(f"{HOME}?{begin}", status_code=303)
    return await shown(request, asking.parse(request.query_params))


async def _first_view(request: Req) -> str:
    async with connection(of(request).pool) as conn:
        saved = await listing.views(conn, own(request))
    return next((each.query for each in saved if each.is_default), "")


async def shown(request: Req, asked: Asked, status_code: int = 200, **given: Any) -> Template:
    """The page. given: what somebody typed, and what is wrong with it."""
    web = of(request)
    async with connection(web.pool) as conn:
        page = await list_page.read(conn, asked, web.tags, own(request))
    notice = NOTICES.get(request.query_params.get("notice", ""), "")
    context: dict[str, Any] = {"notice": notice, "wrong": {}, "typed": {}, **given}
    answer = render(request, "pages/list.html", status_code=status_code, page=page, **drawn(page, web.types), **context)
    if is_fragment(request) and request.headers.get("hx-trigger") == "filters":
        answer.headers["HX-Push-Url"] = asked.link()
    return answer


def drawn(page: ListPage, types: Any) -> dict[str, Any]:
    return {"asked": page.asked, "counts": page.counts, "order": ORDER, "sorts": SORTS, "types": offered(types)}


def own(request: Req) -> int:
    """Whose views and undos they are."""
    user_id = principal(request).user_id
    assert user_id is not None
    return user_id


@post("/monitors/views", status_code=200, opt=VIEWER)
async def save_view(request: Req) -> Response[Any]:
    """Keeps the list as it is shown under a name; the name of another view of theirs replaces that."""
    sent = await form(request)
    asked, name = asking.parse_query(sent.get("query", "")), sent.get("name", "").strip()
    query = asked.link(after="").partition("?")[2]
    try:
        _check(name, query)
        async with connection(of(request).pool) as conn, conn.transaction():
            made = await listing.save_view(conn, own(request), name, query, "default" in sent)
            after = {"query": query, "default": "default" in sent}
            await audit.write(conn, principal(request), "view.save", Thing("view", made, name), None, after)
    except InvalidInput as wrong:
        return await shown(request, asked, 422, wrong=wrong.fields, typed={"name": name[:200]})
    return Redirect(f"{HOME}?{query}&notice=saved", status_code=303)


def _check(name: str, query: str) -> None:
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidInput({"name": f"must have 1 to {LONGEST_NAME} characters"})
    if not name.isprintable():
        raise InvalidInput({"name": "must be one line of printable characters"})
    if len(query) > LONGEST:
        raise InvalidInput({"name": "cannot be given to this list: its filter is too long to be kept. Shorten it"})


@post("/monitors/views/{view_id:int}/default", status_code=303, opt=VIEWER)
async def begin_with(request: Req, view_id: FromPath[int]) -> Redirect:
    """The list begins with this view; with 0, with all monitors."""
    async with connection(of(request).pool) as conn, conn.transaction():
        name = await listing.make_default_view(conn, own(request), _exists(view_id) if view_id else None)
        thing = Thing("view", view_id or None, name or "all monitors")
        await audit.write(conn, principal(request), "view.begin", thing, None, {"default": True})
    return Redirect(HOME, status_code=303)


@post("/monitors/views/{view_id:int}/delete", status_code=303, opt=VIEWER)
async def delete_view(request: Req, view_id: FromPath[int]) -> Redirect:
    async with connection(of(request).pool) as conn, conn.transaction():
        name = await listing.delete_view(conn, own(request), _exists(view_id))
        await audit.write(conn, principal(request), "view.delete", Thing("view", view_id, name), {"name": name}, None)
    return Redirect(f"{Asked().link()}&notice=removed", status_code=303)


def _exists(view_id: int) -> int:
    if not 0 < view_id < 2**63:
        raise NotFound("There is no such view among yours.")
    return view_id
