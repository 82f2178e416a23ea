"""Waiting for sockets: both ways of it, on real ones."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from pinguin.checks import check_type
from pinguin.checks.contract import Resources
from pinguin.checks.engine import readiness as waiting
from pinguin.checks.engine.readiness import PlainReadiness, Readiness, readiness
from pinguin.checks.engine.resolve import literal
from pinguin.checks.engine.wire import Wire
from pinguin.checks.runner import run
from pinguin.model import Status
from tests.checks.servers import answering, page, serving
from tests.ports import free_port

Pair = tuple[socket.socket, socket.socket]
BOUND_S = 20


@pytest.fixture(params=[Readiness, PlainReadiness])
async def ways(request: pytest.FixtureRequest) -> AsyncIterator[Readiness | PlainReadiness]:
    made: Readiness | PlainReadiness = request.param()
    yield made
    made.close()


def pair() -> Pair:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return ours, theirs


async def test_data_wakes_whoever_waits_for_it_again_and_again(ways: Readiness | PlainReadiness) -> None:
    ours, theirs = pair()
    with ours, theirs:
        for again in (False, True, True):
            reading = asyncio.ensure_future(ways.until(ours.fileno(), again=again))
            await asyncio.sleep(0)
            assert not reading.done()
            theirs.send(b"x")
            await asyncio.wait_for(reading, BOUND_S)
            assert ours.recv(10) == b"x"


async def test_what_is_there_already_is_told(ways: Readiness | PlainReadiness) -> None:
    ours, theirs = pair()
    with ours, theirs:
        await asyncio.wait_for(ways.until(ours.fileno(), writable=True), BOUND_S)
        theirs.send(b"x")
        await asyncio.wait_for(ways.until(ours.fileno(), again=True), BOUND_S)
        await asyncio.wait_for(ways.until(ours.fileno(), again=True), BOUND_S)


async def test_the_other_side_that_closes_is_told(ways: Readiness | PlainReadiness) -> None:
    ours, theirs = pair()
    with ours:
        reading = asyncio.ensure_future(ways.until(ours.fileno()))
        await asyncio.sleep(0)
        theirs.close()
        await asyncio.wait_for(reading, BOUND_S)


async def give_up(ways: Readiness | PlainReadiness, sock: socket.socket) -> None:
    """Wait for it, and be cancelled."""
    waiting = asyncio.ensure_future(ways.until(sock.fileno()))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])


async def test_who_gave_up_waiting_may_wait_again(ways: Readiness | PlainReadiness) -> None:
    ours, theirs = pair()
    with ours, theirs:
        await give_up(ways, ours)
        theirs.send(b"x")
        await asyncio.sleep(0)
        await asyncio.wait_for(ways.until(ours.fileno(), again=True), BOUND_S)


async def test_a_closed_socket_leaves_its_number_to_the_next(ways: Readiness | PlainReadiness) -> None:
    before, other = pair()
    with other:
        await give_up(ways, before)
        number = before.fileno()
        before.close()
    ours, theirs = pair()
    with ours, theirs:
        assert ours.fileno() == number
        reading = asyncio.ensure_future(ways.until(ours.fileno()))
        theirs.send(b"x")
        await asyncio.wait_for(reading, BOUND_S)


async def test_many_are_told_at_once(ways: Readiness | PlainReadiness) -> None:
    pairs = [pair() for _ in range(waiting.MOST_AT_ONCE // 4)]
    try:
        reading = [asyncio.ensure_future(ways.until(ours.fileno())) for ours, _ in pairs]
        await asyncio.sleep(0)
        for _, theirs in pairs:
            theirs.send(b"x")
        await asyncio.wait_for(asyncio.gather(*reading), BOUND_S)
    finally:
        for ours, theirs in pairs:
            ours.close()
            theirs.close()


@pytest.fixture(params=[True, False], ids=["epoll", "plain"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_EPOLL", request.param)


def test_a_system_without_epoll_has_the_plain_way(either: None) -> None:
    async def kind() -> type[object]:
        resources = Resources()
        try:
            return type(readiness(resources))
        finally:
            resources.close()

    assert asyncio.run(kind()) is (Readiness if waiting._EPOLL else PlainReadiness)


async def test_a_connection_that_takes_its_time_is_made(either: None, resources: Resources) -> None:
    with socket.socket() as listener, socket.socket() as first:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen(0)
        first.connect(listener.getsockname())  # there is room for no other: what comes now must knock again
        [address] = literal("127.0.0.1", listener.getsockname()[1]) or []
        opening = asyncio.create_task(Wire.open(address, resources))
        await asyncio.sleep(0.05)
        assert not opening.done()
        listener.accept()[0].close()
        wire = await asyncio.wait_for(opening, BOUND_S)
        assert wire.sock.getpeername() == address.sockaddr
        wire.close()


async def test_checks_wait_for_slow_answers_either_way(either: None, resources: Resources) -> None:
    kind = check_type("http")
    async with serving(answering(page(b"x" * 20)[:30], b"", page(b"x" * 20)[30:], pause=0.05)) as port:
        options = kind.parse({"url": f"http://127.0.0.1:{port}/"})
        reports = await asyncio.gather(*(run(kind, options, BOUND_S, resources) for _ in range(10)))
    assert {report.status for report in reports} == {Status.UP}, reports[0].message
    assert {report.evidence["body_bytes"] for report in reports} == {20}
