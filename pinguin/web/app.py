"""The web process: its addresses, and how it starts and stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import structlog
import uvicorn
from litestar import Litestar, Router
from litestar.config.compression import CompressionConfig
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.static_files import create_static_files_router
from litestar.template import TemplateConfig

from pinguin.broker import Broker
from pinguin.checks import check_types
from pinguin.checks.contract import CheckType
from pinguin.db import Pool, make_pool
from pinguin.errors import PinguinError
from pinguin.lifecycle import cancel, stop_on_signal
from pinguin.settings import Settings
from pinguin.web import faults, gate, headers, templating
from pinguin.web.hub import Hub
from pinguin.web.routes import accounts, editing, health, incidents, listing, live, monitor
from pinguin.web.service import Web

_log = structlog.get_logger(__name__)

STOP_S = 10
"""How long requests under way may take once the process is asked to stop."""


def create_app(
    settings: Settings, pool: Pool, broker: Broker, types: Mapping[str, CheckType] | None = None
) -> Litestar:
    """The pages over an open pool and a broker. types: the check types on offer, if not all there are."""
    web = Web(settings, pool, broker, Hub(broker), check_types() if types is None else types)
    return Litestar(
        [_public(), _signed_in(), create_static_files_router("/static", [templating.STATIC])],
        state=State({"web": web}),
        lifespan=[_running],
        before_send=[headers.secure],
        template_config=TemplateConfig(instance=JinjaTemplateEngine.from_environment(templating.environment())),
        compression_config=CompressionConfig("gzip", gzip_compress_level=4, exclude="^/(live|static/vendor)"),
        exception_handlers={
            PinguinError: faults.known,
            HTTPException: faults.http,
            Exception: faults.unexpected,
        },
        openapi_config=None,
        logging_config=None,
        request_max_body_size=1_000_000,
    )


def _public() -> Router:
    handlers = [
        accounts.show_setup, accounts.set_up, accounts.show_sign_in, accounts.sign_in, health.healthz, health.readyz,
    ]  # fmt: skip
    return Router("/", route_handlers=handlers, before_request=gate.anyone)


def _signed_in() -> Router:
    handlers = [
        accounts.sign_out, listing.show_list, incidents.show_incidents,
        monitor.show_monitor, monitor.show_chart, monitor.check_now, monitor.pause, monitor.resume,
        monitor.show_delete, monitor.delete,
        editing.show_new, editing.create, editing.show_edit, editing.edit, editing.try_out,
        live.live_list, live.poll_list, live.live_monitor, live.poll_monitor,
    ]  # fmt: skip
    return Router("/", route_handlers=handlers, before_request=gate.account_only)


@asynccontextmanager
async def _running(app: Litestar) -> AsyncIterator[None]:
    web: Web = app.state.web
    listening = asyncio.create_task(web.hub.run())
    try:
        yield
    finally:
        web.hub.close()
        await cancel(listening)
        web.resources.close()


class _Server(uvicorn.Server):
    """Uvicorn, but the signals are ours: open streams end first, or it would wait for them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: Settings) -> None:
    """Serve the pages until SIGTERM or SIGINT."""
    pool = make_pool(settings.database_url, settings.database_pool)
    async with pool, Broker.connect(settings.redis_url) as broker:
        app = create_app(settings, pool, broker)
        server = _Server(
            uvicorn.Config(
                app,
                host=settings.web_host,
                port=settings.web_port,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=STOP_S,
            )
        )

        _log.info("web_started", url=f"http://{settings.web_host}:{settings.web_port}")
        with stop_on_signal() as stop:
            serving = asyncio.create_task(server.serve())
            waiting = asyncio.create_task(stop.wait())
            await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            app.state.web.hub.close()
            server.should_exit = True
            await serving
        _log.info("web_stopped")
