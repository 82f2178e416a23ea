"""Pausing, resuming, editing and deleting many monitors from the list, and taking that back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from litestar import Response, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from pinguin.errors import InvalidInput, NotFound, Unavailable
from pinguin.store import channels, listing
from pinguin.store.monitors import Filter
from pinguin.web import asked as asking
from pinguin.web import bulk_changes, bulk_form
from pinguin.web.asked import Asked
from pinguin.web.database import connection
from pinguin.web.gate import form, principal
from pinguin.web.service import Req, Web, of
from pinguin.web.templating import render

PATIENCE_S = 120.0
"""How long a change of ten thousand monitors may take: seconds, and more on a slow machine."""
ACTS = ("pause", "resume", "edit", "delete")

_PICKED = re.compile(r"m(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Picked:
    """The monitors that somebody chose. ids: those that are ticked; None is all of the list `asked`, page by page."""

    asked: Asked
    ids: Sequence[int] | None

    @property
    def filter(self) -> Filter:
        """What is ticked is meant, whatever it is by now."""
        return self.asked.filter if self.ids is None else Filter()

    def back(self, notice: str = "") -> Redirect:
        address = self.asked.link(after=self.asked.after)
        return Redirect(f"{address}&notice={notice}" if notice else address, status_code=303)


def _picked(sent: Mapping[str, str]) -> Picked:
    """Raises `InvalidInput` for a list that is none."""
    ids = [int(found[1]) for name in sent if (found := _PICKED.fullmatch(name))]
    return Picked(asking.parse_query(sent.get("query", "")), None if "all" in sent else ids)


@post("/monitors/bulk", status_code=200)
async def change_many(request: Req) -> Response[Any]:
    """Does it at once; or asks what to edit, and whether to delete all of a list."""
    sent, web = await form(request), of(request)
    picked, act = _picked(sent), sent.get("act", "")
    if act not in ACTS:
        raise InvalidInput({"act": f"{act[:40]!r} is none; there are {', '.join(ACTS)}"})
    if picked.ids == []:
        return picked.back("none")
    if act == "edit":
        return await _form(request, picked)
    if act == "delete" and picked.ids is None and "sure" not in sent:
        return render(request, "pages/bulk_delete.html", picked=picked, many=await _how_many(web, picked))
    async with connection(web.pool, PATIENCE_S) as conn:
        if act == "delete":
            changed = await bulk_changes.archive(conn, principal(request), picked.filter, picked.ids)
        else:
            changed = await bulk_changes.enable(
                conn, principal(request), picked.filter, picked.ids, enabled=act == "resume"
            )
    await _announce(web, changed)
    return picked.back("" if changed else "same")


@post("/monitors/bulk/edit", status_code=200)
async def edit_many(request: Req) -> Response[Any]:
    sent, web = await form(request), of(request)
    picked = _picked(sent)
    if picked.ids == []:
        return picked.back("none")
    async with connection(web.pool) as conn:
        choices = await channels.choices(conn)
    try:
        change = bulk_form.parse(sent, choices)
        async with connection(web.pool, PATIENCE_S) as conn:
            changed = await bulk_changes.edit(conn, principal(request), picked.filter, picked.ids, change)
    except InvalidInput as wrong:
        return await _form(request, picked, 422, sent, wrong)
    await _announce(web, changed)
    return picked.back("" if changed else "same")


async def _form(
    request: Req, picked: Picked, status_code: int = 200, sent: Mapping[str, str] | None = None,
    wrong: InvalidInput | None = None,
) -> Template:  # fmt: skip
    web = of(request)
    async with connection(web.pool) as conn:
        choices = await channels.choices(conn)
    fields, problems = bulk_form.again(sent or {}, wrong) if wrong else (bulk_form.blank(), [])
    return render(
        request,
        "pages/bulk_edit.html",
        status_code=status_code,
        picked=picked,
        many=await _how_many(web, picked),
        fields=fields,
        choices=choices,
        sent=sent or {},
        wrong=wrong.fields if wrong else {},
        problems=problems,
    )


async def _how_many(web: Web, picked: Picked) -> int:
    async with connection(web.pool) as conn, conn.transaction():
        return len(await listing.matching(conn, picked.filter, picked.ids))


@post("/monitors/undo/{undo_id:int}", status_code=303)
async def undo(request: Req, undo_id: FromPath[int]) -> Redirect:
    web = of(request)
    picked = _picked(await form(request))
    if not 0 < undo_id < 2**63:
        return picked.back("late")
    try:
        async with connection(web.pool, PATIENCE_S) as conn:
            _, changed, left = await bulk_changes.undo(conn, principal(request), undo_id)
    except NotFound:
        return picked.back("late")
    await _announce(web, changed)
    return picked.back("partly" if left else "undone")


async def _announce(web: Web, changed: Sequence[int]) -> None:
    """A hint: without it the leader finds the changes by itself, a little later."""
    with suppress(Unavailable):
        await web.broker.announce_change(changed)
