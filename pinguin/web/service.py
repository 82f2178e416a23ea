"""What the pages need, made once and passed in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from litestar import Request
from litestar.datastructures import State
from prometheus_client import CollectorRegistry

from pinguin.alerts.channels import channel_types
from pinguin.alerts.contract import ChannelType
from pinguin.alerts.courier import Courier
from pinguin.broker import Broker
from pinguin.checks.contract import CheckType, Resources
from pinguin.db import Pool
from pinguin.first_run import FirstRun
from pinguin.guard import Guard
from pinguin.people import Principal, Role
from pinguin.secrets import Keys
from pinguin.settings import Settings
from pinguin.web import monitor_form
from pinguin.web.board import Boards
from pinguin.web.hub import Hub
from pinguin.web.intake import Intake
from pinguin.web.monitor_metrics import MonitorMetrics
from pinguin.web.passwords import Passwords
from pinguin.web.rate import Rate
from pinguin.web.strangers import Strangers
from pinguin.web.tags import Tags
from pinguin.web.throttle import Door

if TYPE_CHECKING:
    from pinguin.web.list_news import ListNews

Req = Request[Any, Any, State]


@dataclass(slots=True)
class Web:
    """One web process. tests: how many "test now" checks and test messages run at the same time; questions: in SQL."""

    settings: Settings
    pool: Pool
    broker: Broker
    hub: Hub
    types: Mapping[str, CheckType]
    registry: CollectorRegistry
    passwords: Passwords = field(default_factory=Passwords)
    resources: Resources = field(init=False)
    tests: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(4))
    questions: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    door: Door = field(default_factory=Door)
    strangers: Strangers = field(default_factory=Strangers)
    tags: Tags = field(default_factory=Tags)
    rate: Rate = field(default_factory=Rate)
    measured: MonitorMetrics = field(default_factory=MonitorMetrics)
    intake: Intake = field(init=False)
    first_run: FirstRun = field(init=False)
    keys: Keys = field(init=False)
    kinds: Mapping[str, ChannelType] = field(default_factory=channel_types)
    courier: Courier = field(init=False)
    boards: Boards = field(init=False)
    lists: ListNews = field(init=False)

    def __post_init__(self) -> None:
        self.resources = Resources(Guard.of(self.settings))
        self.first_run = FirstRun(self.settings)
        self.keys = Keys.of(self.settings)
        self.courier = Courier(self.settings, self.keys)
        self.boards = Boards(self.pool)
        self.intake = Intake(self.pool, self.broker, lambda slug: monitor_form.for_slug(self.types["push"], slug))


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who is signed in. csrf: the token of the forms on this page."""

    principal: Principal
    csrf: str

    @property
    def name(self) -> str:
        return self.principal.name

    @property
    def edits(self) -> bool:
        """Whether they may change monitors, channels and maintenance."""
        return self.principal.may(Role.EDITOR)

    @property
    def owns(self) -> bool:
        """Whether they may change everything, people too."""
        return self.principal.may(Role.OWNER)


def of(request: Req) -> Web:
    """The process that answers `request`."""
    web = request.app.state.web
    assert isinstance(web, Web)
    return web


def is_fragment(request: Req) -> bool:
    """Whether HTMX asked, and wants a piece of a page."""
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-boosted") != "true"


def aware(text: str) -> datetime | None:
    """A moment as the pages write it in addresses, or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
