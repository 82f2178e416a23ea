"""Style sheets and scripts: whole, packed for those who take that, and nothing beside them."""

from __future__ import annotations

import pytest

from pinguin.web.routes.own_files import own_files
from pinguin.web.templating import STATIC
from tests.web.conftest import Client

NAMES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", NAMES)
async def test_each_file_is_there_packed_and_plain(client: Client, name: str) -> None:
    written = (STATIC / name).read_bytes()
    packed = await client.get(f"/static/{name}", headers={"Accept-Encoding": "br, gzip"})
    plain = await client.get(f"/static/{name}", headers={"Accept-Encoding": "identity"})
    assert packed.content == plain.content == written
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert int(plain.headers["content-length"]) == len(written)
    for answer in (packed, plain):
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("pinguin.css", "text/css; charset=utf-8"),
        ("pinguin.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/htmx.LICENSE", "text/plain; charset=utf-8"),
    ],
)
async def test_browsers_are_told_what_it_is(client: Client, name: str, media_type: str) -> None:
    answer = await client.head(f"/static/{name}")
    assert answer.headers["content-type"] == media_type
    assert answer.content == b""


@pytest.mark.parametrize(
    "path", ["", "nothing.css", "vendor", "vendor/", "../app.py", "%2e%2e/app.py", "/etc/passwd", "vendor/../../app.py"]
)
async def test_nothing_else_is_there(client: Client, path: str) -> None:
    assert (await client.get(f"/static/{path}")).status_code == 404


def test_packing_is_worth_it() -> None:
    files = own_files()
    first_visit = ("pinguin.css", "theme.js", "pinguin.js", "keys.js", "vendor/htmx.min.js", "vendor/sse.min.js")
    assert sum(len(files[name].packed) for name in first_visit) < 50_000
