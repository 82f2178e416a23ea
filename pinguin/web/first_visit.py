"""Tells the log how to make the first account: in a container it is the console."""

from __future__ import annotations

import structlog

from pinguin.errors import Unavailable
from pinguin.lifecycle import Backoff
from pinguin.store import accounts
from pinguin.web.database import connection
from pinguin.web.service import Web

_log = structlog.get_logger(__name__)


async def announce(web: Web) -> None:
    """As soon as the database says that there is no account."""
    backoff = Backoff()
    while True:
        try:
            async with connection(web.pool) as conn:
                found = await accounts.any_account(conn)
            break
        except Unavailable:
            await backoff.wait()
    if found:
        return
    base = web.settings.base_url or f"http://{web.settings.web_host}:{web.settings.web_port}"
    _log.warning("no_account_yet", open=web.first_run.address(base))
