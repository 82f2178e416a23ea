"""What the form of a monitor sends, and what is stored of it."""

from __future__ import annotations

import re
from typing import Any

from pinguin.checks import check_type
from pinguin.db import Pool
from pinguin.secrets import Keys, monitor_place
from tests.factory import fetch
from tests.web.conftest import SECRET_KEY, Client

OWN = {
    "name": "shop", "interval_s": "60", "timeout_s": "5", "failure_threshold": "2", "recovery_threshold": "1",
    "regions": "local", "tags": "",
}  # fmt: skip
TCP = {**OWN, "type": "tcp", "options.host": "127.0.0.1", "options.port": "9"}
KEYS = Keys(SECRET_KEY)


async def base(client: Client, monitor: int) -> dict[str, str]:
    """The hidden fields of the edit form."""
    page = (await client.get(f"/monitors/{monitor}/edit")).text
    return dict(re.findall(r'<input type="hidden" name="(version|updated_at|monitor)" value="([^"]+)"', page))


def opened(options: dict[str, Any], kind: str = "http") -> dict[str, Any]:
    return KEYS.unseal_fields(options, check_type(kind).options, monitor_place(kind))


async def stored(pool: Pool, monitor_id: int = 1) -> dict[str, Any]:
    [(options,)] = await fetch(pool, "select options from monitors where id = %s", monitor_id)
    return dict(options)
