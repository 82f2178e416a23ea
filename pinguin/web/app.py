"""The web process: its addresses, and how it starts and stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
import uvicorn
from litestar import Litestar, Router
from litestar.config.compression import CompressionConfig
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig
from prometheus_client import Gauge

from pinguin.broker import Broker
from pinguin.checks import check_types
from pinguin.checks.contract import CheckType
from pinguin.db import Pool, make_pool
from pinguin.errors import PinguinError
from pinguin.health import QuietServer
from pinguin.lifecycle import cancel, process_name, stop_on_signal
from pinguin.metrics import make_registry
from pinguin.settings import Settings
from pinguin.watchdog import alive
from pinguin.web import faults, first_visit, gate, headers, kept, templating
from pinguin.web.api import routes as api
from pinguin.web.heads import with_head
from pinguin.web.hosts import Server
from pinguin.web.hub import Hub
from pinguin.web.list_news import ListNews
from pinguin.web.routes import (
    account,
    accounts,
    api_page,
    audit,
    badges,
    bulk,
    channel_editing,
    channels,
    dashboard,
    editing,
    health,
    incident,
    incidents,
    listing,
    live,
    maintenance,
    maintenance_editing,
    messages,
    monitor,
    people,
    pings,
    push,
    results,
    sql,
    tokens,
)
from pinguin.web.routes.own_files import own_files, show_own_file
from pinguin.web.service import Web

_log = structlog.get_logger(__name__)

STOP_S = 10
"""How long requests under way may take once the process is asked to stop."""


def create_app(
    settings: Settings, pool: Pool, broker: Broker, types: Mapping[str, CheckType] | None = None
) -> Litestar:
    """The pages over an open pool and a broker. types: the check types on offer, if not all there are."""
    hub, registry = Hub(broker), make_registry(pool)
    Gauge("pinguin_live_pages", "Pages that are open and live", registry=registry).set_function(lambda: hub.open_pages)
    Gauge("pinguin_redis_up", "1 while live updates come from Redis", registry=registry).set_function(
        lambda: hub.connected
    )
    templates = templating.environment()
    web = Web(settings, pool, broker, hub, check_types() if types is None else types, registry)
    web.lists = ListNews(pool, templates)
    own_files()  # packed before the first visit wants them
    return Server(
        [_public(), _pinged(), _signed_in(), api.router(), show_own_file],
        state=State({"web": web}),
        lifespan=[_running],
        before_send=[headers.secure(https=settings.secure_cookies)],
        template_config=TemplateConfig(instance=JinjaTemplateEngine.from_environment(templates)),
        compression_config=CompressionConfig("gzip", gzip_compress_level=4, exclude="^/(live|static)"),
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
        accounts.show_setup, accounts.set_up, accounts.show_sign_in, accounts.sign_in, accounts.sign_in_with_code,
        accounts.show_join, accounts.join, health.healthz, health.readyz, health.metrics,
        api.show_openapi, badges.show_badge,
    ]  # fmt: skip
    return Router("/", route_handlers=with_head(handlers), before_request=gate.anyone)


def _pinged() -> Router:
    """For jobs, not for people: no session, no form token, and bodies as long as they like."""
    return Router(
        "/",
        route_handlers=[push.ping, push.ping_at_root],
        exception_handlers={HTTPException: push.refused, Exception: push.unexpected},
        request_max_body_size=None,
    )


def _signed_in() -> Router:
    handlers = [
        accounts.sign_out, account.show_account, account.change_password, account.show_second_factor, account.turn_on,
        account.turn_off, account.new_recovery_codes, account.end_session, account.end_other_sessions,
        account.end_all_sessions, tokens.create_token, tokens.revoke_token,
        people.show_people, people.invite, people.new_link, people.change_role, people.turn_off, people.show_remove,
        people.remove, audit.show_audit, audit.download_csv, audit.download_json,
        dashboard.show_dashboard, dashboard.live_dashboard, dashboard.poll_dashboard,
        listing.show_list, listing.save_view, listing.begin_with, listing.delete_view,
        bulk.change_many, bulk.edit_many, bulk.undo, incidents.show_incidents,
        incidents.export_csv, incidents.export_json, incidents.acknowledge_many,
        incident.show_incident, incident.incident_news, incident.acknowledge, incident.take_back, incident.snooze,
        incident.wake, incident.comment, incident.resolve, incident.write_postmortem,
        monitor.show_monitor, monitor.show_chart, monitor.show_days, monitor.show_hours,
        monitor.check_now, monitor.pause, monitor.resume, monitor.show_delete, monitor.delete,
        results.show_results, results.download_csv, results.download_json,
        editing.show_new, editing.create, editing.show_edit, editing.edit, editing.change_type, editing.try_out,
        maintenance.show_maintenance, maintenance.start, maintenance.end, maintenance.extend,
        maintenance.show_delete, maintenance.delete,
        maintenance_editing.show_new, maintenance_editing.create, maintenance_editing.show_edit,
        maintenance_editing.edit, maintenance_editing.preview, maintenance_editing.pick,
        channels.show_channels, channels.try_saved, channels.switch_on, channels.switch_off, channels.try_again,
        channels.show_delete, channels.delete, channels.create_group, channels.edit_group,
        channels.show_delete_group, channels.delete_group,
        channel_editing.show_new, channel_editing.create, channel_editing.show_edit, channel_editing.edit,
        channel_editing.try_out, channel_editing.preview, messages.show_all, messages.show_channel,
        pings.show_pings, pings.show_body, pings.rotate,
        badges.show_badges, badges.open_badges, badges.close_badges, api_page.show_api,
        sql.show_sql, sql.ask, sql.download_csv, sql.download_json,
        live.live_list, live.poll_list, live.live_monitor, live.poll_monitor,
    ]  # fmt: skip
    return Router("/", route_handlers=with_head(handlers), before_request=gate.account_only)


@asynccontextmanager
async def _running(app: Litestar) -> AsyncIterator[None]:
    web: Web = app.state.web
    tasks = [
        asyncio.create_task(web.hub.run()),
        asyncio.create_task(first_visit.announce(web)),
        asyncio.create_task(kept.drain_forever(web.intake, web.broker, process_name())),
        asyncio.create_task(kept.say_open_forever(web.intake, web.broker, web.pool)),
    ]
    try:
        yield
    finally:
        web.hub.close()
        await cancel(*tasks)
        web.resources.close()


def server_config(settings: Settings, app: Litestar) -> uvicorn.Config:
    """Only a trusted proxy is believed when it says for whom it asks."""
    return uvicorn.Config(
        app,
        host=settings.web_host,
        port=settings.web_port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=STOP_S,
    )


async def serve(settings: Settings) -> None:
    """Serve the pages until SIGTERM or SIGINT."""
    pool = make_pool(settings.database_url, settings.database_pool)
    async with pool, Broker.connect(settings.redis_url) as broker:
        app = create_app(settings, pool, broker)
        server = QuietServer(server_config(settings, app))

        _log.info("web_started", url=f"http://{settings.web_host}:{settings.web_port}")
        hub: Hub = app.state.web.hub
        with stop_on_signal() as stop:
            async with alive(settings.watchdog_s, stop, lambda: f"{hub.open_pages} pages are live"):
                await _serve_until(stop, server, hub)
        _log.info("web_stopped")


async def _serve_until(stop: asyncio.Event, server: QuietServer, hub: Hub) -> None:
    """Open streams end first, or the server would wait for them."""
    serving = asyncio.create_task(server.serve())
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    hub.close()
    server.should_exit = True
    await serving
