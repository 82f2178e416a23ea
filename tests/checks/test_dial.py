"""From a name to a connection, when something on the way does not answer."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from pinguin.checks.contract import Context, Resources
from pinguin.checks.engine import dial, resolve
from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.resolve import Address, Resolver
from pinguin.checks.engine.stopwatch import Stopwatch
from pinguin.checks.runner import Report
from pinguin.errors import CheckFailed, CheckImpossible
from pinguin.model import REASONS, Status
from tests.checks.conftest import Check
from tests.checks.servers import answering, full_backlog, page, serving, silent
from tests.ports import free_port


@pytest.fixture
async def context(resources: Resources) -> Context:
    """With more time than a silent address is given of it, and this machine may lose."""
    return Context(timeout=9.0, resources=resources)


def known_as(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Every name resolves to these."""
    found = [item for host, port in addresses for item in resolve.literal(host, port) or []]

    async def resolved(*_: object) -> list[Address]:
        return found

    monkeypatch.setattr(dial, "resolve", resolved)


async def test_a_silent_address_leaves_time_for_the_next(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    with full_backlog() as mute:
        async with serving(silent) as port:
            refused = free_port()
            known_as(monkeypatch, ("127.0.0.1", mute), ("127.0.0.1", refused), ("127.0.0.1", port))
            wire = await dial.dial("some.test", 1, "any", context, Stopwatch(context))
            wire.close()

    assert context.evidence["address"] == f"127.0.0.1:{port}"
    assert context.evidence["failed_addresses"] == {
        f"127.0.0.1:{mute}": "timeout",
        f"127.0.0.1:{refused}": "refused",
    }


async def test_the_last_address_says_why(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    known_as(monkeypatch, *[("127.0.0.1", free_port()) for _ in range(9)])
    with pytest.raises(CheckFailed) as failed:
        await dial.dial("some.test", 1, "any", context, Stopwatch(context))
    assert failed.value.reason == "refused"
    assert len(context.evidence["failed_addresses"]) == dial.MOST_ADDRESSES - 1


@asynccontextmanager
async def hanging(
    check: Check, monkeypatch: pytest.MonkeyPatch, number: int
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """So many checks wait, each in a thread, for a name whose server is silent. What is given begins them anew: the
    first ones are given up, and their threads hang on.
    """
    gate = threading.Event()
    begun: list[str] = []
    waiting: list[asyncio.Task[Report]] = []
    look_up = resolve._look_up

    def slow(host: str, port: int, family: int, flags: int) -> list[Address]:
        if host.startswith("slow") and not flags:
            begun.append(host)
            gate.wait(600)
            raise OSError
        return look_up(host, port, family, flags)

    async def begin() -> None:
        begun.clear()
        for task in waiting:
            task.cancel()
        waiting.extend(asyncio.create_task(check("http", url=f"http://slow{n}.invalid/")) for n in range(number))
        async with asyncio.timeout(60):
            while len(begun) < number:
                await asyncio.sleep(0.01)

    monkeypatch.setattr(resolve, "_look_up", slow)
    try:
        await begin()
        yield begin
    finally:
        for task in waiting:
            task.cancel()
        gate.set()
        await asyncio.wait(waiting)


async def test_names_whose_server_is_silent_hold_up_nobody(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hanging(check, monkeypatch, 40), serving(answering(page())) as port:
        report = await check("http", url=f"http://localhost:{port}/")

    assert report.status is Status.UP


async def test_a_look_up_that_finds_no_thread_says_nothing_about_the_target(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hanging(check, monkeypatch, resolve.MOST_AT_ONCE), serving(answering(page())) as port:
        held_up = await check("tcp", timeout=0.5, host="fine.invalid", port=port)
        written_out = await check("tcp", host="127.0.0.1", port=port)
        client = {"auth": "oauth2", "oauth_client_id": "me", "oauth_client_secret": "hush"}
        target = f"http://127.0.0.1:{port}/"
        token = await check("http", timeout=0.5, url=target, oauth_token_url="http://fine.invalid/", **client)

    assert (held_up.status, held_up.reason) == (token.status, token.reason) == (Status.UNKNOWN, "internal")
    assert held_up.message == "not checked within 0.5 s: 200 other look-ups wait for name servers that do not answer"
    assert written_out.status is Status.UP


async def test_names_that_hung_before_hold_up_each_other_alone(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many they are."""
    monkeypatch.setattr(resolve, "MOST_AT_ONCE", 4)
    monkeypatch.setattr(resolve, "MOST_HANGING", 3)
    async with hanging(check, monkeypatch, 3) as begin_anew, serving(answering(page())) as port:
        await begin_anew()
        healthy = await check("http", url=f"http://localhost:{port}/")
        held_up = await check("tcp", timeout=0.5, host="slow0.invalid", port=port)

    assert healthy.status is Status.UP, healthy.message
    assert held_up.status is Status.UNKNOWN
    assert held_up.message == "not checked within 0.5 s: 3 other look-ups wait for name servers that do not answer"


async def test_a_name_that_hung_is_one_like_any_other_once_it_does_not(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def look_up(*_: object) -> list[Address]:
        asked.append(threading.current_thread().name.partition("_")[0])
        return []

    monkeypatch.setattr(resolve, "_look_up", look_up)
    resolver = Resolver()
    for hangs_s in (0.0, 60.0, 60.0):
        monkeypatch.setattr(resolve, "HANGS_S", hangs_s)
        await resolver.addresses("fine.invalid", 80, 0, context)
    resolver.close()
    assert asked == ["resolver", "patient-resolver", "resolver"]


async def test_a_name_that_cannot_be_one(context: Context) -> None:
    with pytest.raises(CheckFailed) as failed:
        await resolve.resolve("a" * 70 + ".test", 80, "any", context)
    assert failed.value.reason == "dns"


async def test_a_resolver_closes_without_waiting(context: Context) -> None:
    resolver = Resolver()
    assert (await resolver.addresses("localhost", 80, 0, context))[0].sockaddr[1] == 80
    resolver.close()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.ECONNREFUSED, "refused"),
        (errno.ECONNRESET, "reset"),
        (errno.EPIPE, "reset"),
        (errno.ETIMEDOUT, "timeout"),
        (errno.ENETUNREACH, "unreachable"),
        (errno.EHOSTUNREACH, "unreachable"),
        (errno.EXDEV, "unreachable"),
    ],
)
def test_an_error_of_the_system_has_a_reason_and_a_sentence(code: int, reason: str) -> None:
    failure = failure_of(OSError(code, "words"), "192.0.2.1:80", "3 ms")
    assert isinstance(failure, CheckFailed)
    assert (failure.reason, failure.evidence["errno"]) == (reason, errno.errorcode[code])
    assert reason in REASONS
    assert "192.0.2.1:80" in failure.message


def test_limits_of_this_machine_say_nothing_about_the_target() -> None:
    for code in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC, errno.EAGAIN):
        assert isinstance(failure_of(OSError(code, ""), "192.0.2.1:80", "3 ms"), CheckImpossible)


async def test_a_machine_without_a_port_to_send_from_says_so_at_once(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a socket can be written to, and would be asked for ever."""
    monkeypatch.setattr(socket.socket, "connect_ex", lambda *_: errno.EAGAIN)
    report = await check("dns", name="example.test", resolver=f"127.0.0.1:{free_port()}")
    assert (report.status, report.reason) == (Status.UNKNOWN, "internal")
    assert "EAGAIN" in str(report.message)
