"""A canary in every secret field of channels and monitors, and none of them on any page, in an export or in a log."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import Litestar
from structlog.testing import capture_logs

from pinguin.alerts.channels import channel_type
from pinguin.alerts.contract import PLACE
from pinguin.checks import check_types
from pinguin.checks.contract import Resources
from pinguin.db import Pool
from pinguin.people import Role
from pinguin.secrets import Keys
from pinguin.store import channels
from pinguin.web import forms
from pinguin.web.service import Web
from tests.alerts.test_canary import CANARIES, options
from tests.factory import add_incident, add_monitor, fetch
from tests.store.pushing import add_push, token
from tests.store.telling import add_channel
from tests.web.conftest import SECRET_KEY, Client, person, signed_in
from tests.web.pages import Forms, asked

NEEDED = {"url": "http://127.0.0.1:9/", "host": "127.0.0.1", "port": 9, "name": "shop.test", "domain": "shop.test"}


def planted(kind: str) -> dict[str, Any]:
    """Options of a check type with a canary in each secret."""
    found: dict[str, Any] = dict(NEEDED)
    drawn = forms.fields(check_types()[kind].options)
    for each in drawn:
        if each.secret:
            canary = f"canary-{each.key}"
            found[each.key] = {"X-Key": canary} if each.widget == "pairs" else canary
    known = {each.key for each in drawn}
    return {name: value for name, value in found.items() if name in known}


@pytest.fixture
async def house(client: Client, app: Litestar, pool: Pool) -> AsyncIterator[Client]:
    """One channel of each kind and one monitor of each type, full of canaries."""
    for kind in CANARIES:
        sealed = Keys(SECRET_KEY).seal_fields(options(kind, 9), channel_type(kind).options, PLACE)
        await add_channel(pool, name=kind, kind=kind, options=sealed)
    for kind in check_types():
        if kind != "push":
            monitor = await add_monitor(pool, type=kind, options=planted(kind), name=f"by {kind}")
            await add_incident(pool, monitor)
    yield client
    web: Web = app.state.web
    web.resources.close()  # what tries opened
    web.resources = Resources()


def clean(text: str) -> None:
    found = re.search(r".{0,200}canary.{0,60}", text, re.DOTALL)
    assert not found, found[0]


async def everywhere(client: Client, app: Litestar, pool: Pool) -> None:
    """Every page of everything there is."""
    (channels_made,), (monitors_made,) = await fetch(
        pool, "select max(id) from channels union all select max(id) from monitors"
    )
    for path in asked(app):
        most = (channels_made if path.startswith("/channels") else monitors_made) if "/1" in path else 1
        for number in range(1, most + 1):
            answer = await client.get(path.replace("/1", f"/{number}", 1))
            assert answer.status_code < 500, path
            clean(answer.text)


async def test_no_page_and_no_export_shows_one(house: Client, app: Litestar, pool: Pool) -> None:
    assert len(await fetch(pool, "select from channels")) == len(CANARIES)
    with capture_logs() as logs:
        await everywhere(house, app, pool)
        for kind in (*CANARIES, *check_types()):
            clean((await house.get(f"/{'channels' if kind in CANARIES else 'monitors'}/new?kind={kind}&from=1")).text)
    clean(repr(logs))


async def test_no_change_writes_one_down(house: Client, app: Litestar, pool: Pool) -> None:
    """Each form is sent as it was drawn, with new secrets, once wrong, once right; and all is read."""
    pages = [f"/monitors/{n}/edit" for (n,) in await fetch(pool, "select id from monitors")]
    pages += [f"/monitors/new?from={n}" for (n,) in await fetch(pool, "select id from monitors")]
    pages += [f"/channels/{n}/edit" for (n,) in await fetch(pool, "select id from channels")]
    with capture_logs() as logs:
        for path in pages:
            text = (await house.get(path)).text
            for form in Forms(text).found:
                if not re.search(r"/(edit|new|test|preview)$", form.action):
                    continue
                names = [name for name in form.fields if f'name="{name}.remove"' in text]
                pairs, lines = dict.fromkeys(names, "KEY: canary-typed"), dict.fromkeys(names, "canary typed")
                for more in ({}, pairs, lines, pairs | {"name": ""}, pairs | {"name": "other" + path}):
                    answer = await house.post(form.action, data=form.fields | more)
                    assert answer.status_code < 500, (form.action, more)
                    clean(answer.text)
                    clean(answer.headers.get("location", ""))
        await everywhere(house, app, pool)
        clean((await house.get("/audit.json")).text)
        clean((await house.get("/audit.csv")).text)
    clean(repr(logs))
    assert "canary" not in repr(await fetch(pool, "select * from audit"))


async def test_viewers_see_no_address_to_ping(house: Client, app: Litestar, pool: Pool) -> None:
    monitor = await add_push(pool, period_s=3600)
    secret = str(await token(pool, monitor))
    assert secret in (await house.get(f"/monitors/{monitor}")).text
    await signed_in(house, pool, await person(pool, "cyd", Role.VIEWER))
    for path in asked(app):
        answer = await house.get(path.replace("/1", f"/{monitor}", 1))
        assert secret not in answer.text, path
        clean(answer.text)


async def test_a_crash_says_nothing_of_it(house: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "canary".ljust(9, "!")

    async def broken(*_: Any) -> None:
        raise RuntimeError(words)

    monkeypatch.setattr(channels, "listed", broken)
    with capture_logs() as logs:
        answer = await house.get("/channels")
    assert answer.status_code == 500
    clean(answer.text + repr(logs))
