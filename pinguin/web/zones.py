"""In which time zone a page counts days and hours: the one asked for, else that of the reader's browser, else UTC."""

from __future__ import annotations

from urllib.parse import unquote
from zoneinfo import ZoneInfo

from pinguin.wallclock import zone_of, zones
from pinguin.web.service import Req

COOKIE = "zone"
"""Where the page's script leaves the browser's time zone."""


def zone(request: Req) -> ZoneInfo:
    """Raises `InvalidInput` where the address asks for one that is none."""
    wanted = request.query_params.get("zone", "").strip()
    if wanted:
        return zone_of(wanted)
    kept = unquote(request.cookies.get(COOKIE, ""))
    return ZoneInfo(kept if kept in zones() else "UTC")
