"""HTTP/2 against a server of our own, honest and otherwise."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from pinguin.checks.contract import Context, Resources
from pinguin.checks.engine import http2
from pinguin.checks.engine.body import Body
from pinguin.checks.engine.stopwatch import Stopwatch
from pinguin.checks.runner import Report
from pinguin.errors import CheckFailed
from pinguin.model import REASONS, Status
from tests.checks.conftest import Check
from tests.checks.servers import Handler, answering, page, serving, silent

Connection = h2.connection.H2Connection
Answer = Callable[[Connection, asyncio.StreamWriter], Awaitable[None]]


def server(answer: Answer, seen: list[tuple[dict[str, str], bytes]] | None = None, window: int = 65535) -> Handler:
    """Reads one request, then lets `answer` say something on stream 1, and reads on until the client is gone."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        talk.local_settings = h2.settings.Settings(
            client=False, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
        )
        talk.initiate_connection()
        writer.write(talk.data_to_send())
        headers: dict[str, str] = {}
        body = b""
        while data := await reader.read(65536):
            for event in talk.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    headers = {str(name): str(value) for name, value in event.headers or ()}
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data or b""
                    talk.acknowledge_received_data(event.flow_controlled_length or 0, 1)
                elif isinstance(event, h2.events.StreamEnded):
                    if seen is not None:
                        seen.append((headers, body))
                    await answer(talk, writer)
            writer.write(talk.data_to_send())
            await writer.drain()

    return handler


def says(body: bytes = b"hello", status: str = "200", *headers: tuple[str, str]) -> Answer:
    async def answer(talk: Connection, writer: asyncio.StreamWriter) -> None:
        talk.send_headers(1, [(":status", status), *headers])
        talk.send_data(1, body, end_stream=True)

    return answer


@pytest.fixture
def ask(check: Check, authority: trustme.CA) -> Callable[..., Awaitable[Report]]:
    """One check of a server that speaks h2 with `handler`."""

    async def one(handler: Handler, *protocols: str, timeout: float = 60.0, **options: Any) -> Report:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        tls.set_alpn_protocols(list(protocols or ("h2", "http/1.1")))
        async with serving(handler, tls) as port:
            options.setdefault("url", f"https://127.0.0.1:{port}/a?b=c")
            pem = authority.cert_pem.bytes().decode()
            return await check("http", timeout=timeout, ca_certificates=pem, http2=True, **options)

    return one


Ask = Callable[..., Awaitable[Report]]


async def test_a_page_over_http2(ask: Ask) -> None:
    seen: list[tuple[dict[str, str], bytes]] = []
    report = await ask(
        server(says(b"hello", "200", ("content-type", "text/plain")), seen),
        method="POST",
        body="x" * 60_000,
        keyword="hello",
        headers={"X-Key": "schlüssel"},
        conditions=["http version == HTTP/2", "header content-type == text/plain"],
    )

    assert report.status is Status.UP, report.message
    assert report.evidence["http_version"] == "HTTP/2"
    assert set(report.phases) == {"connect", "tls", "first_byte", "transfer"}
    headers, body = seen[0]
    assert (headers[":method"], headers[":path"], headers[":scheme"]) == ("POST", "/a?b=c", "https")
    assert headers[":authority"].startswith("127.0.0.1:")
    assert headers["x-key"] == "schlüssel"
    assert "connection" not in headers
    assert "host" not in headers
    assert body == b"x" * 60_000


async def test_what_reading_an_answer_takes_is_no_time_of_the_servers(
    ask: Ask, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over either version of HTTP. A body that is packed well takes longer to unpack than to arrive."""
    take, slept = Body.take, list[float]()

    def slowly(self: Body, chunk: bytes) -> None:
        began = time.perf_counter()
        time.sleep(0.5)
        slept.append(time.perf_counter() - began)
        take(self, chunk)

    monkeypatch.setattr(Body, "take", slowly)
    async with serving(answering(page())) as port:
        for checking in (check("http", url=f"http://127.0.0.1:{port}/"), ask(server(says()))):
            slept.clear()
            began = time.perf_counter()
            report = await checking
            rest_s = time.perf_counter() - began - sum(slept)
            assert report.status is Status.UP, report.message
            assert slept
            assert report.latency_ms
            assert report.latency_ms <= rest_s * 1000
            assert "transfer" in report.phases


async def test_a_large_body_waits_for_the_window(ask: Ask) -> None:
    seen: list[tuple[dict[str, str], bytes]] = []
    report = await ask(server(says(), seen, window=5000), method="POST", body="y" * 65_000)

    assert report.status is Status.UP, report.message
    assert len(seen[0][1]) == 65_000


async def test_a_server_without_http2_is_asked_in_http1(ask: Ask) -> None:
    report = await ask(answering(page()), "http/1.1")

    assert report.status is Status.UP
    assert report.evidence["http_version"] == "HTTP/1.1"


async def test_packed_bodies_and_statuses(ask: Ask) -> None:
    packed = await ask(server(says(gzip.compress(b"a keyword"), "200", ("content-encoding", "gzip"))), keyword="a key")
    failed = await ask(server(says(b"sorry", "503")))
    broken = await ask(server(says(b"plain", "200", ("content-encoding", "gzip"))))

    assert packed.status is Status.UP
    assert packed.evidence["body_bytes"] == 9
    assert (failed.reason, failed.evidence["body_sample"]) == ("status", "sorry")
    assert broken.reason == "protocol"


async def endless(talk: Connection, writer: asyncio.StreamWriter) -> None:
    talk.send_headers(1, [(":status", "200")])
    for _ in range(60):
        talk.send_data(1, b"x" * 1000)


async def giant(talk: Connection, writer: asyncio.StreamWriter) -> None:
    # By hand: h2 itself respects what the client can take.
    talk.send_headers(1, [(":status", "200"), *((f"x-{number}", "y" * 8000) for number in range(20))], end_stream=True)


async def given_up(talk: Connection, writer: asyncio.StreamWriter) -> None:
    talk.reset_stream(1, h2.errors.ErrorCodes.REFUSED_STREAM)


async def going_away(talk: Connection, writer: asyncio.StreamWriter) -> None:
    talk.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)


async def garbage(talk: Connection, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * 5000)


async def hanging_up(talk: Connection, writer: asyncio.StreamWriter) -> None:
    writer.write(talk.data_to_send())
    writer.close()


async def half(talk: Connection, writer: asyncio.StreamWriter) -> None:
    talk.send_headers(1, [(":status", "200"), ("server", "half"), ("set-cookie", "a=1")])
    talk.send_data(1, b"x" * 10)
    await hanging_up(talk, writer)


async def early_hints(talk: Connection, writer: asyncio.StreamWriter) -> None:
    talk.send_headers(1, [(":status", "103"), ("link", "x")])
    await says()(talk, writer)


async def dripping(talk: Connection, writer: asyncio.StreamWriter) -> None:
    talk.send_headers(1, [(":status", "200")])
    while True:
        talk.send_data(1, b".")
        writer.write(talk.data_to_send())
        await writer.drain()
        await asyncio.sleep(0.02)


async def pinging(talk: Connection, writer: asyncio.StreamWriter) -> None:
    while True:
        talk.ping(b"12345678")
        writer.write(talk.data_to_send())
        await writer.drain()
        await asyncio.sleep(0)


HOSTILE: dict[str, tuple[Answer, str, str]] = {
    "endless": (endless, "too_large", "larger than 2,000 bytes"),
    "giant headers": (giant, "protocol", "not valid HTTP/2"),
    "given up": (given_up, "reset", "REFUSED_STREAM"),
    "going away": (going_away, "reset", "ENHANCE_YOUR_CALM"),
    "garbage": (garbage, "protocol", "not valid HTTP/2"),
    "hanging up": (hanging_up, "reset", "without an answer"),
    "half": (half, "reset", "after 10 bytes"),
    "dripping": (dripping, "timeout", "reading the answer"),
    "pinging for ever": (pinging, "timeout", "waiting for the first byte"),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_a_hostile_server_is_down_with_the_right_reason(ask: Ask, case: str) -> None:
    answer, reason, words = HOSTILE[case]
    report = await ask(server(answer), timeout=0.5 if reason == "timeout" else 60, max_body_bytes=2000)

    assert (report.status, report.reason) == (Status.DOWN, reason), report.message
    assert words in str(report.message)


async def test_what_came_of_an_answer_that_broke_off_is_kept(ask: Ask) -> None:
    report = await ask(server(half))

    seen = {name: report.evidence[name] for name in ("status_code", "headers", "body_sample")}
    assert seen == {"status_code": 200, "headers": {"server": "half", "set-cookie": "…"}, "body_sample": "x" * 10 + "…"}


async def test_a_server_that_chooses_http2_and_speaks_http1(ask: Ask) -> None:
    async def confused(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    report = await ask(confused, "h2")

    assert (report.reason, "HTTP/1, although" in str(report.message)) == ("protocol", True)


async def test_early_hints_are_passed_over(ask: Ask) -> None:
    assert (await ask(server(early_hints), keyword="hello")).status is Status.UP


async def test_a_silent_server(ask: Ask) -> None:
    report = await ask(silent, "h2", timeout=0.3)

    assert report.reason == "timeout"
    assert "waiting for the first byte" in str(report.message)


async def test_redirects_and_cookies_over_http2(ask: Ask) -> None:
    seen: list[tuple[dict[str, str], bytes]] = []

    async def answer(talk: Connection, writer: asyncio.StreamWriter) -> None:
        if len(seen) == 1:
            await says(b"", "302", ("location", "/next"), ("set-cookie", "a=1"))(talk, writer)
        else:
            await says()(talk, writer)

    report = await ask(server(answer, seen))

    assert report.status is Status.UP, report.message
    assert (seen[1][0][":path"], seen[1][0]["cookie"]) == ("/next", "a=1")


class Said:
    """A wire whose other side has said its all already."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self.address = "192.0.2.1:443"

    async def send(self, data: bytes) -> None:
        pass

    async def receive(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


frames = st.builds(
    lambda kind, flags, stream, payload: (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    ),
    kind=st.integers(0, 10),
    flags=st.integers(0, 255),
    stream=st.sampled_from([0, 1, 2, 3]),
    payload=st.binary(max_size=60) | st.just(b"\x88") | st.just(bytes(4)) | st.just(b"\x00\x03\x00\x00\x00\x64"),
)


@given(pieces=st.lists(st.one_of(frames, st.binary(max_size=200)), max_size=12), content=st.binary(max_size=50))
@settings(deadline=None, max_examples=400)
def test_any_bytes_give_an_answer_or_a_reason(pieces: list[bytes], content: bytes) -> None:
    resources = Resources()
    watch = Stopwatch(Context(timeout=1, resources=resources))
    headers = [(b":method", b"GET"), (b":authority", b"a"), (b":scheme", b"https"), (b":path", b"/")]

    async def one() -> Any:
        wire: Any = Said([b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", *pieces])
        return await http2.exchange(wire, headers, content, watch, limit=100, keep=100)

    reason, size = None, 0
    try:
        size = asyncio.run(one()).size
    except CheckFailed as failure:
        reason = failure.reason
    assert reason is None or reason in REASONS
    assert size <= 100
