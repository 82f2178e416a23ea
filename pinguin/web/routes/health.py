"""For load balancers, service managers and Prometheus; no sign-in."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from litestar import Response, get
from prometheus_client import generate_latest

from pinguin.health import METRICS_TYPE, Readiness, bounded, database_complaint, redis_complaint
from pinguin.web import gate
from pinguin.web.service import Req, Web, of

_TYPE = METRICS_TYPE.removesuffix("; charset=utf-8")
"""Litestar says the character set of a text itself."""

_log = structlog.get_logger(__name__)


@get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@get("/readyz")
async def readyz(request: Req) -> Response[Any]:
    """Whether the services answer that the pages need."""
    web = of(request)
    found = await bounded(lambda: _look(web))
    return Response(found.as_json(), status_code=found.code)


@get("/metrics", opt=gate.METRICS)
async def metrics(request: Req) -> Response[bytes]:
    """This process, for anyone; what Redis holds is for the scheduler to show. With a token every monitor too."""
    web = of(request)
    text = generate_latest(web.registry)
    if "authorization" in request.headers:
        await gate.api(request)
        text += await web.measured.text(web.pool)
    return Response(text, media_type=_TYPE)


async def _look(web: Web) -> Readiness:
    database, redis = await asyncio.gather(database_complaint(web.pool), redis_complaint(web.broker))
    if database or redis:
        _log.warning("not_ready", database=database or "ok", redis=redis or "ok")
    found = Readiness(facts={"database": _public(database), "redis": _public(redis)})
    if database:
        found.reasons.append("the database does not answer")
    if redis:
        found.notes.append("pages work and poll, but are not live: Redis does not answer")
    return found


def _public(complaint: str | None) -> str:
    """The complaint itself names hosts and users, and this page is open to anyone: it goes to the log."""
    return "does not answer" if complaint else "ok"
