"""A canary in every secret field of channels and monitors: no answer of the API holds one, whatever is asked."""

from __future__ import annotations

import re

import pytest
from litestar import Litestar
from structlog.testing import capture_logs

from pinguin.alerts.channels import channel_type
from pinguin.alerts.contract import PLACE
from pinguin.checks import check_types
from pinguin.db import Pool
from pinguin.secrets import Keys
from pinguin.web.api.routes import operations
from tests.alerts.test_canary import CANARIES, options
from tests.api.conftest import BASE, Program
from tests.factory import add_incident, add_monitor, fetch
from tests.store.telling import add_channel
from tests.web.conftest import SECRET_KEY
from tests.web.test_canaries import clean, planted


@pytest.fixture
async def house(owner: Program, app: Litestar, pool: Pool) -> Program:
    """One channel of each kind and one monitor of each type, full of canaries."""
    for kind in CANARIES:
        sealed = Keys(SECRET_KEY).seal_fields(options(kind, 9), channel_type(kind).options, PLACE)
        await add_channel(pool, name=kind, kind=kind, options=sealed)
    for kind in check_types():
        if kind != "push":
            await add_incident(pool, await add_monitor(pool, type=kind, options=planted(kind), name=f"by {kind}"))
    return owner


async def test_no_answer_holds_one(house: Program, pool: Pool) -> None:
    (most,) = (await fetch(pool, "select greatest((select max(id) from monitors), (select max(id) from channels))"))[0]
    with capture_logs() as logs:
        for each in operations():
            if each.method != "GET":
                continue
            path = each.path.replace("{name:str}", "http")
            for number in range(1, most + 1 if "{id:int}" in path else 2):
                answer = await house.get(BASE + path.replace("{id:int}", str(number)))
                assert answer.status_code < 500, path
                clean(answer.text)
    clean(repr(logs))


async def test_no_change_answers_or_keeps_one(house: Program, pool: Pool) -> None:
    """Each monitor and channel is changed with new secrets, wrong and right; and all that was kept of it is read."""
    with capture_logs() as logs:
        for table, path in (("monitors", "/monitors"), ("channels", "/channels")):
            for (number,) in await fetch(pool, f"select id from {table}"):
                shown = await house.read(f"{path}/{number}")
                typed = dict.fromkeys(shown["secrets"], "canary typed")
                for change in ({"name": f"other {number}"}, {"options": typed}, {"options": typed, "name": ""}):
                    key = f"key-{table}-{number}-{len(str(change))}"
                    answer = await house.sent("PATCH", f"{path}/{number}", change, Idempotency_Key=key)
                    assert answer.status_code in (200, 422), answer.text
                    clean(answer.text)
                    clean(str(answer.headers))
        made = {"name": "n", "options": {"url": "http://127.0.0.1:9/", "headers": {"X-Key": "canary"}}}
        answer = await house.sent("POST", "/monitors", made, Idempotency_Key="made")
        assert (answer.status_code, answer.json()["secrets"]) == (201, ["headers"])
        clean(answer.text)
    clean(repr(logs))
    for table in ("audit", "idempotency_keys", "monitors", "monitor_versions"):
        found = repr(await fetch(pool, f"select t::text from {table} t where t::text like '%%canary typed%%'"))
        assert not re.search("canary typed", found), table
    kept = await fetch(pool, "select convert_from(body, 'utf8') from idempotency_keys where body is not null")
    clean(repr(kept))
