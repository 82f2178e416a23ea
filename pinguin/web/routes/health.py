"""For load balancers, service managers and Prometheus; no sign-in."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Response, get
from prometheus_client import generate_latest

from pinguin.health import METRICS_TYPE, Readiness, bounded, database_complaint, redis_complaint
from pinguin.web.service import Req, Web, of


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


@get("/metrics")
async def metrics(request: Req) -> Response[bytes]:
    """This process alone. What Redis holds is for the scheduler to show: this page is open to anyone."""
    return Response(generate_latest(of(request).registry), media_type=METRICS_TYPE)


async def _look(web: Web) -> Readiness:
    database, redis = await asyncio.gather(database_complaint(web.pool), redis_complaint(web.broker))
    found = Readiness(facts={"database": database or "ok", "redis": redis or "ok"})
    if database:
        found.reasons.append(database)
    if redis:
        found.notes.append(f"pages work and poll, but are not live: {redis}")
    return found
