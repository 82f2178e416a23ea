"""The description is OpenAPI 3.1, tells every operation, and holds: schemathesis finds no breach of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from litestar import Litestar
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pinguin.db import Pool
from pinguin.web.api.operation import Operation
from pinguin.web.api.routes import operations
from pinguin.web.rate import Rate
from pinguin.web.service import Web
from tests.api.conftest import BASE, Program
from tests.api.test_channels import HOOK
from tests.api.test_maintenance import UPGRADE
from tests.factory import add_incident, add_monitor, add_result
from tests.store.pushing import add_push
from tests.web.streams import served

CHECKS: list[Any] = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance, negative_data_rejection,
]  # fmt: skip
EXAMPLES = {GenerationMode.POSITIVE: 4, GenerationMode.NEGATIVE: 2}
"""Of each operation; generating them is what takes the time."""


async def test_it_is_openapi_and_tells_every_operation(stranger: Program) -> None:
    answer = await stranger.get(f"{BASE}/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    told = answer.json()
    assert told["openapi"] == "3.1.0"
    found = {(method.upper(), path) for path, each in told["paths"].items() for method in each}
    assert found == {(each.method, each.address) for each in operations()}
    names = [each["operationId"] for path in told["paths"].values() for each in path.values()]
    assert len(set(names)) == len(names)
    for schema in told["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_each_operation_says_what_it_does() -> None:
    for each in operations():
        assert len(each.words) > 10, each.name
        assert each.words.endswith("."), each.name


@pytest.fixture
async def filled(owner: Program, pool: Pool) -> None:
    """One of everything, with the number 1."""
    monitor = await add_monitor(pool, type="http", options={"url": "http://127.0.0.1:9/"}, tags=["web"])
    await add_result(pool, monitor)
    await add_incident(pool, monitor)
    await add_push(pool, period_s=3600)
    await owner.done("POST", "/channels", HOOK)
    await owner.done("POST", "/channel-groups", {"name": "All", "channels": [1]})
    await owner.done("POST", "/maintenance", UPGRADE)


def ordered() -> Iterator[Operation]:
    """What takes things away comes last."""
    late = [each for each in operations() if each.method == "DELETE" or "bulk" in each.path]
    yield from (each for each in operations() if each not in late)
    yield from late


@pytest.mark.timeout(300)
async def test_nothing_that_is_sent_breaks_it(app: Litestar, owner: Program, filled: None) -> None:
    """Good and bad requests for each operation: no 5xx, nothing that the description does not say."""
    web: Web = app.state.web
    web.rate = Rate(burst=10**9)
    async with served(app) as address:
        told = (await owner.get(f"{BASE}/openapi.json")).json()
        schema = schemathesis.openapi.from_dict(told)
        headers = {"Authorization": owner.headers["authorization"]}
        for each in ordered():
            for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:
                run = attempt(schema[each.address][each.method], each, mode, address, headers)
                await asyncio.to_thread(run)


def attempt(
    described: Any, each: Operation, mode: GenerationMode, address: str, headers: dict[str, str]
) -> Callable[[], None]:
    @settings(
        max_examples=EXAMPLES[mode],
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=described.as_strategy(generation_mode=mode), known=st.booleans())
    def run(case: Case[Any], known: bool) -> None:
        if known and mode is GenerationMode.POSITIVE and each.name not in ("revoke_token", "remove_person"):
            case.path_parameters |= {name: 1 for name, kind in each.parameters if kind == "int"}
        stay_here(case)
        answer = case.call(base_url=address, headers=headers, timeout=60)
        case.validate_response(answer, checks=CHECKS, headers=headers)

    return run


def stay_here(case: Case[Any]) -> None:
    """What is tried out is tried on this machine."""
    if isinstance(case.body, dict) and case.path.endswith("/try"):
        case.body["options"] = {"url": "http://127.0.0.1:9/"}
