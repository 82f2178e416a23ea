"""Live updates: fragments of open pages, sent as events; and the same by polling, where events do not come through."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime

from litestar import get
from litestar.params import FromPath
from litestar.response import ServerSentEvent, Template
from litestar.response.sse import ServerSentEventMessage

from pinguin.errors import InvalidInput, NotFound, Unavailable
from pinguin.store import monitors, sessions
from pinguin.web import asked as asking
from pinguin.web import list_page, monitor_page, pushed
from pinguin.web.channel_views import HELD
from pinguin.web.database import connection
from pinguin.web.hub import ALL, POLL_S
from pinguin.web.routes.monitor import exists
from pinguin.web.service import Req, Web, aware, of
from pinguin.web.sessions import cookie_name, token_hash
from pinguin.web.shown import Shown
from pinguin.web.templating import render
from pinguin.web.views import Line

PACE_S = 1.0
"""A page is told news at most this often."""
MOVE_S = 3.0
"""A list is drawn anew at most this often because monitors have to move in it; more seldom with many open pages."""
MOST_IDS = 500
"""Monitors that one page may be told of."""
LOOK_S = 5.0
"""So often a list looks whether its counts have changed, be it by monitors that it does not show."""
LONGEST_S = 3600.0
"""A stream ends after this time and the browser comes back."""
RECHECK_S = 120.0
"""A stream looks this often whether its session lasts: it may have run out, or been ended by another web process."""

Messages = AsyncGenerator[ServerSentEventMessage, None]


def _ids(request: Req) -> list[int]:
    texts = request.query_params.get("ids", "").split(",")
    ids = [int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) < 19]
    if len(ids) > MOST_IDS:
        raise InvalidInput({"ids": f"must be at most {MOST_IDS}"})
    return ids


@get("/live/list")
async def live_list(request: Req) -> ServerSentEvent:
    web, ids, asked = of(request), _ids(request), asking.parse(request.query_params)
    seen = dict(zip(ids, request.query_params.get("seen", ""), strict=False))
    shown = Shown(asked, seen, list_page.had(request.query_params.get("had", "")))
    stale = await _is_stale(web, request.query_params.get("mark"))

    async def message(due: list[int]) -> str:
        return await web.lists.text(shown, due)

    return ServerSentEvent(stream(request, ids, message, stale, shown), headers={"X-Accel-Buffering": "no"})


async def _is_stale(web: Web, mark: str | None) -> bool:
    """Whether the list changed since the page with this mark was drawn."""
    if mark is None:
        return False
    try:
        async with connection(web.pool) as conn:
            return mark != await monitors.mark(conn)
    except Unavailable:
        return False


@get("/live/list/rows", media_type="text/html")
async def poll_list(request: Req) -> str:
    shown = Shown(asking.parse(request.query_params))
    return await of(request).lists.text(shown, _ids(request), at_once=True)


@get("/live/monitors/{monitor_id:int}")
async def live_monitor(request: Req, monitor_id: FromPath[int]) -> ServerSentEvent:
    seen = _Seen(_since(request))
    stale = await _is_edited(of(request), exists(monitor_id), request.query_params.get("mark"))

    async def message(_: list[int]) -> str:
        return text(request, await _monitor_news(request, monitor_id, seen))

    return ServerSentEvent(stream(request, [monitor_id], message, stale), headers={"X-Accel-Buffering": "no"})


async def _is_edited(web: Web, monitor_id: int, mark: str | None) -> bool:
    """Whether the monitor was edited or deleted since the page with this mark, the time of its last edit, was drawn."""
    if mark is None:
        return False
    try:
        async with connection(web.pool) as conn:
            return mark != (await monitors.get(conn, monitor_id)).updated_at.isoformat()
    except NotFound:
        return True
    except Unavailable:
        return False


@get("/live/monitors/{monitor_id:int}/rows")
async def poll_monitor(request: Req, monitor_id: FromPath[int]) -> Template:
    return await _monitor_news(request, exists(monitor_id), _Seen(_since(request)))


class _Seen:
    """What a page shows: the slot of its newest result, and the statuses and incident that it was told last.

    A stream begins anew after a break, and a poll each time, with the slot of when the page was drawn: the page itself
    leaves out what it has.
    """

    def __init__(self, slot: datetime | None) -> None:
        self.slot = slot
        self.mark: object = None
        self._told: set[tuple[datetime, str]] = set()

    def new(self, lines: Sequence[Line]) -> list[Line]:
        """Those that this stream did not tell. A region may be later than another with the same slot."""
        found = [each for each in lines if (each.result.scheduled_at, each.result.region) not in self._told]
        self._told = {(each.result.scheduled_at, each.result.region) for each in lines}
        if lines:
            self.slot = lines[0].result.scheduled_at
        return found


def _since(request: Req) -> datetime | None:
    return aware(request.query_params.get("since", "").replace(" ", "+"))


async def _monitor_news(request: Req, monitor_id: int, seen: _Seen) -> Template:
    async with connection(of(request).pool) as conn:
        head = await monitor_page.head(conn, monitor_id)
        first = seen.slot is None  # the page had no result to take apart
        mark = await monitor_page.mark(conn, head.monitor)
        lines = seen.new(await monitor_page.recent(conn, head.monitor, since=seen.slot))
        turn = await monitor_page.turn(conn, monitor_id) if mark != seen.mark else None
        push = await pushed.part(request, conn, head.monitor) if head.monitor.passive else None
    seen.mark = mark
    facts = monitor_page.facts(lines) if lines and first else None
    return render(
        request, "fragments/monitor_news.html",
        head=head, lines=lines, turn=turn, facts=facts, push=push, held=HELD,
    )  # fmt: skip


def text(request: Req, template: Template) -> str:
    """A fragment as it is sent."""
    engine = request.app.template_engine
    assert engine is not None
    assert template.template_name is not None
    drawn: str = engine.get_template(template.template_name).render(**template.context)
    return drawn


async def stream(
    request: Req, ids: list[int], message: Callable[[list[int]], Awaitable[str]], stale: bool = False,
    shown: Shown | None = None, pace_s: float | None = None,
) -> Messages:  # fmt: skip
    """`news` events with fragments, and `list` events when monitors were added, edited or deleted, or have to move.

    stale: they were, between the drawing of the page and now. pace_s: news come at most this often, if not `PACE_S`.
    """
    moved_at = -math.inf
    hub, session = of(request).hub, token_hash(request.cookies.get(cookie_name(of(request).settings), ""))
    ends, recheck = time.monotonic() + LONGEST_S, time.monotonic() + RECHECK_S
    with hub.page(ids, session) as page:
        yield ServerSentEventMessage(comment="open", retry=2000)
        if stale:
            page.list_changed()
        if ALL in ids:
            page.refresh()
        while time.monotonic() < ends:
            due, changed = await page.news(min(POLL_S, LOOK_S) if shown else POLL_S)
            if time.monotonic() >= recheck:
                recheck = time.monotonic() + RECHECK_S
                if not await _lasts(of(request), session):
                    return
            if page.ended:
                return
            if not hub.connected:
                due = ids
            for event in await _events(due, changed, message, always=shown is not None):
                yield event
            if shown and shown.moved and time.monotonic() >= moved_at + max(MOVE_S, hub.open_pages / 20):
                shown.moved, moved_at = False, time.monotonic()
                yield ServerSentEventMessage(event="list", data="changed")
            await asyncio.sleep(PACE_S if pace_s is None else pace_s)


async def _lasts(web: Web, session: bytes) -> bool:
    """While the database is away nobody is signed out."""
    try:
        async with connection(web.pool) as conn:
            return await sessions.visit(conn, session, "", counts=False) is not None
    except Unavailable:
        return True


async def _events(
    due: list[int], changed: bool, message: Callable[[list[int]], Awaitable[str]], *, always: bool
) -> list[ServerSentEventMessage]:
    """What to send now; a comment at least, so that a connection that is gone is noticed.

    always: there may be something to say of monitors that the page does not show.
    """
    try:
        said = await message(due) if due or always else ""
        found = [ServerSentEventMessage(event="news", data=said)] if said else []
    except NotFound:
        changed, found = True, []
    except Unavailable:
        found = []
    if changed:
        found.append(ServerSentEventMessage(event="list", data="changed"))
    return found or [ServerSentEventMessage(comment="still here")]
