"""For load balancers and service managers; no sign-in."""

from __future__ import annotations

from typing import Any

from litestar import Response, get

from pinguin.db import connection
from pinguin.errors import Unavailable
from pinguin.store import pages
from pinguin.web.service import Req, Web, of


@get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@get("/readyz")
async def readyz(request: Req) -> Response[Any]:
    """Whether the services answer that the pages need. Without Redis the pages still work."""
    database, redis = await _database(of(request)), await _redis(of(request))
    ready = database == "ok"
    found = {"status": "ready" if ready else "not ready", "database": database, "redis": redis}
    return Response(found, status_code=200 if ready else 503)


async def _database(web: Web) -> str:
    try:
        async with connection(web.pool) as conn:
            await pages.ping(conn)
    except Unavailable as error:
        return _first_line(error)
    return "ok"


async def _redis(web: Web) -> str:
    try:
        await web.broker.now()
    except Unavailable as error:
        return _first_line(error)
    return "ok"


def _first_line(error: Unavailable) -> str:
    return str(error).partition("\n")[0][:200]
