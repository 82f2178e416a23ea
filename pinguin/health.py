"""/healthz, /readyz and /metrics of every process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from pinguin.broker import Broker
from pinguin.db import Pool, connection
from pinguin.errors import PinguinError, Unavailable
from pinguin.metrics import PipelineMetrics
from pinguin.settings import Settings
from pinguin.store import health as queries

ANSWER_S = 4.0
"""Whoever asks gets an answer within this time, also while a service hangs."""
METRICS_TYPE = CONTENT_TYPE_PLAIN_0_0_4


@dataclass(slots=True)
class Readiness:
    """Whether a process can do its job. reasons: why not. notes: what is amiss all the same. facts: shown beside."""

    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> int:
        return 503 if self.reasons else 200

    def as_json(self) -> dict[str, Any]:
        status = "not ready" if self.reasons else "ready"
        return {"status": status, "reasons": self.reasons, "notes": self.notes, **self.facts}


Look = Callable[[], Awaitable[Readiness]]


async def bounded(look: Look) -> Readiness:
    """What `look` finds, or that it found nothing in time."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return await look()
    except TimeoutError:
        return Readiness([f"the services that it needs did not answer within {ANSWER_S:g} s"])


async def redis_complaint(broker: Broker) -> str | None:
    """None where Redis answers."""
    try:
        await broker.now()
    except Unavailable as error:
        return first_line(error)
    return None


async def database_complaint(pool: Pool) -> str | None:
    """None where the database answers."""
    try:
        async with asyncio.timeout(ANSWER_S / 2), connection(pool, ANSWER_S / 2) as conn:
            await queries.ping(conn)
    except TimeoutError:
        return f"the database does not answer within {ANSWER_S / 2:g} s"
    except Unavailable as error:
        return first_line(error)
    return None


def first_line(error: Unavailable) -> str:
    return str(error).partition("\n")[0][:200]


Answer = tuple[int, str, bytes]
"""Status, content type, body."""


class HealthApp:
    """An ASGI application. pipeline: where this process also shows what Redis holds."""

    def __init__(self, look: Look, registry: CollectorRegistry, pipeline: PipelineMetrics | None = None) -> None:
        self._look, self._registry, self._pipeline = look, registry, pipeline

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        if scope["method"] not in ("GET", "HEAD"):
            code, kind, body = _json(405, {"status": "only GET and HEAD"})
        else:
            code, kind, body = await self._answer(scope["path"])
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, path: str) -> Answer:
        if path == "/healthz":
            return _json(200, {"status": "alive"})
        if path == "/readyz":
            found = await bounded(self._look)
            return _json(found.code, found.as_json())
        if path == "/metrics":
            if self._pipeline is not None:
                await self._pipeline.refresh()
            return 200, METRICS_TYPE, generate_latest(self._registry)
        return _json(404, {"status": "there are /healthz, /readyz and /metrics"})


def _json(code: int, content: dict[str, Any]) -> Answer:
    return code, "application/json", msgspec.json.encode(content)


class QuietServer(uvicorn.Server):
    """Uvicorn inside a loop of ours: the signals are ours too."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(settings: Settings, app: HealthApp) -> AsyncIterator[None]:
    """Answer on PINGUIN_HEALTH_PORT, unless that is 0. Raises `PinguinError` where the port is taken."""
    if not settings.health_port:
        yield
        return
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
    )
    server = QuietServer(config)
    with _listen(settings.health_host, settings.health_port) as listening:
        serving = asyncio.create_task(server.serve([listening]))
        try:
            yield
        finally:
            server.should_exit = True
            await serving


def _listen(host: str, port: int) -> socket.socket:
    """Bound by ourselves: uvicorn ends the whole process where it cannot."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=64)
    except OSError as error:
        raise PinguinError(
            f"cannot listen on {host}:{port} ({error.strerror}); "
            "stop what uses it, or set PINGUIN_HEALTH_HOST and PINGUIN_HEALTH_PORT"
        ) from None
