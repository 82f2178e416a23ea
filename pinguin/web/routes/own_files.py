"""Our own style sheets and scripts: read and packed once, because a first visit asks for all of them at once."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from litestar import Response, route
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from pinguin.web.service import Req
from pinguin.web.templating import STATIC

_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}


@dataclass(frozen=True, slots=True)
class OwnFile:
    """packed: its bytes for those who take gzip."""

    body: bytes
    packed: bytes
    media_type: str


@cache
def own_files() -> Mapping[str, OwnFile]:
    """By their paths below /static/. Nothing else is there to be asked for."""
    return {path.relative_to(STATIC).as_posix(): _read(path) for path in STATIC.rglob("*") if path.is_file()}


def _read(path: Path) -> OwnFile:
    body = path.read_bytes()
    return OwnFile(body, gzip.compress(body, 9, mtime=0), _TYPES.get(path.suffix, "text/plain"))


@route("/static/{path:path}", http_method=["GET", "HEAD"])
async def show_own_file(request: Req, path: FromPath[Path]) -> Response[Any]:
    found = own_files().get(path.as_posix().lstrip("/"))
    if found is None:
        raise NotFoundException
    headers = {"Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(content=found.packed, headers=headers, media_type=found.media_type)
    return Response(content=found.body, headers=headers, media_type=found.media_type)
