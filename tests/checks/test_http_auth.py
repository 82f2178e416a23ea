from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
from base64 import b64encode
from typing import Any

import pytest

from pinguin.model import Status
from tests.checks.conftest import Check
from tests.checks.servers import Handler, answering, page, recording, request_of, serving


def digest_server(seen: list[bytes], challenges: list[str], algorithm: Any, *, password: str = "hush") -> Handler:
    """Challenges whoever brings no right answer."""

    def right(head: str) -> bool:
        found = re.search(r"authorization: Digest (.+)\r\n", head, re.IGNORECASE)
        if not found:
            return False
        parts = dict(re.findall(r'(\w+)="?([^",]+)"?', found[1]))
        method, uri = head.split(" ", 2)[:2]

        def hashed(*words: str) -> str:
            return str(algorithm(":".join(words).encode()).hexdigest())

        first, second = hashed("me", "realm", password), hashed(method, uri)
        if parts["algorithm"].endswith("-sess"):
            first = hashed(first, parts["nonce"], parts["cnonce"])
        if parts.get("qop") == "auth-int":
            second = hashed(method, uri, hashed(head.partition("\r\n\r\n")[2]))
        middle = (parts["nc"], parts["cnonce"], parts["qop"]) if "qop" in parts else ()
        return (parts["uri"], parts["response"]) == (uri, hashed(first, parts["nonce"], *middle, second))

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await request_of(reader)
        seen.append(request)
        headers = "".join(f"WWW-Authenticate: {challenge}\r\n" for challenge in challenges)
        writer.write(page(b"in") if right(request.decode()) else page(b"out", "401 Unauthorized", headers))
        await writer.drain()

    return handler


DIGESTS = {
    "md5": (['Digest realm="realm", nonce="n1", qop="auth", algorithm=MD5, opaque="o"'], hashlib.md5),
    "md5 by default, without qop": (['Digest realm="realm", nonce="n1"'], hashlib.md5),
    "sha-256": (['Digest realm="realm", nonce="n1", qop="auth, auth-int", algorithm=SHA-256'], hashlib.sha256),
    "sha-512-256 of a session": (
        ['Digest realm="realm", nonce="n1", qop="auth", algorithm=SHA-512-256-sess'],
        lambda words: hashlib.new("sha512_256", words),
    ),
    "with the body": (['Digest realm="realm", nonce="n1", qop="auth-int", algorithm=SHA-256'], hashlib.sha256),
    "several": (
        [
            'Basic realm="realm"',
            'Digest realm="realm", nonce="n1", qop="auth", algorithm=SHA-256',
            'Digest realm="realm", nonce="n1", qop="auth", algorithm=MD5',
        ],
        hashlib.sha256,
    ),
    "behind another one in the same header": (
        ['Basic realm="a, Digest b", Digest realm="realm", nonce="n1", qop="auth", algorithm=MD5'],
        hashlib.md5,
    ),
    "an unknown one first": (
        [
            'Digest realm="realm", nonce="n1", qop="auth", algorithm=KECCAK',
            'Digest realm="realm", nonce="n1", qop="auth", algorithm=MD5',
        ],
        hashlib.md5,
    ),
}


@pytest.mark.parametrize("kind", DIGESTS)
async def test_digest(check: Check, kind: str) -> None:
    challenges, algorithm = DIGESTS[kind]
    seen: list[bytes] = []
    async with serving(digest_server(seen, challenges, algorithm)) as port:
        options: dict[str, Any] = {"url": f"http://127.0.0.1:{port}/a?b=c", "auth": "digest", "username": "me"}
        right = await check("http", password="hush", method="POST", body="x", keyword="in", **options)
        wrong = await check("http", password="guess", **options)

    assert right.status is Status.UP, right.message
    assert [(hop["status"]) for hop in right.evidence["hops"]] == [401, 200]
    assert seen[1].endswith(b"\r\n\r\nx")
    assert (wrong.reason, len(seen)) == ("status", 4)
    assert wrong.message == "answered 401 Unauthorized; accepted: 200-299 (it refuses the user or the password)"
    spent = [hop["phases"]["connect"] for hop in right.evidence["hops"]]
    assert sum(spent) == pytest.approx(right.phases["connect"], abs=0.01)


@pytest.mark.parametrize(("forgotten", "status"), [(1, Status.UP), (9, Status.DOWN)])
async def test_a_nonce_that_the_server_does_not_know_any_more(check: Check, forgotten: int, status: Status) -> None:
    """As of two servers behind one name, each with nonces of its own; one that forgets them all ends the check."""
    asked = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        head = (await request_of(reader)).decode()
        asked += 1
        known = f'nonce="n{asked - 1}"' in head and asked - 1 > forgotten
        stale = ", stale=true" if "authorization" in head.lower() else ""
        challenge = f'WWW-Authenticate: Digest realm="realm", nonce="n{asked}", qop="auth"{stale}\r\n'
        writer.write(page(b"in") if known else page(b"out", "401 Unauthorized", challenge))
        await writer.drain()

    async with serving(handler) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", auth="digest", username="me", password="hush")

    assert (report.status, asked) == (status, 3), report.message


@pytest.mark.parametrize(
    ("challenge", "words"),
    [
        ("Digest", "a digest, but without a realm and a nonce to answer with"),
        ("Digest realm", "a digest, but what it says of it is not a list of name=value"),
        (
            'Digest realm="r", nonce="n", qop="auth-conf"',
            'a kind of digest that is not known here (qop="auth-conf")',
        ),
        ("Digest ,", "a digest, but without a realm and a nonce to answer with"),
        ('Basic realm="b", Digest realm="r", qop="auth"', "a digest, but without a nonce to answer with"),
        ('Digest nonce="n", stale=true', "a digest, but without a realm to answer with"),
        ('Digest realm="r" nonce="n"', "a digest, but what it says of it is not a list of name=value"),
        ('Digest realm="r', "a digest, but what it says of it is not a list of name=value"),
        ('Digest realm="r", nonce="n", algorithm=KECCAK', "a kind of digest that is not known here (algorithm=KECCAK)"),
        ('Digest realm="r", nonce="n", qop="x"', 'a kind of digest that is not known here (qop="x")'),
    ],
)
async def test_a_digest_that_cannot_be_answered(check: Check, challenge: str, words: str) -> None:
    async with serving(answering(page(b"", "401 Unauthorized", f"WWW-Authenticate: {challenge}\r\n"))) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", auth="digest", username="me", password="hush")

    assert (report.reason, report.message) == ("protocol", f"the server asks for {words}")


@pytest.mark.parametrize(
    ("challenge", "words"),
    [
        ('Basic realm="r"', "(it asks for Basic, not for a digest)"),
        ('Negotiate, Basic realm="r", charset="UTF-8"', "(it asks for Negotiate, Basic, not for a digest)"),
        ("", "(it asks for nothing, not for a digest)"),
    ],
)
async def test_a_server_that_asks_for_something_else(check: Check, challenge: str, words: str) -> None:
    header = f"WWW-Authenticate: {challenge}\r\n" if challenge else ""
    async with serving(answering(page(b"", "401 Unauthorized", header))) as port:
        report = await check("http", url=f"http://127.0.0.1:{port}/", auth="digest", username="me", password="hush")

    assert report.message == f"answered 401 Unauthorized; accepted: 200-299 {words}"


async def test_digest_goes_on_after_a_redirect_and_stays_at_home(check: Check) -> None:
    seen: list[bytes] = []
    elsewhere: list[bytes] = []
    challenge = page(b"", "401 Unauthorized", 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n')
    async with serving(recording(elsewhere, challenge)) as other:
        away = page(b"", "302 Found", f"Location: http://127.0.0.1:{other}/\r\n")
        here = page(b"", "302 Found", "Location: /second\r\n")
        async with serving(recording(seen, challenge, here, challenge, away)) as port:
            await check("http", url=f"http://127.0.0.1:{port}/", auth="digest", username="me", password="hush")

    assert [b'uri="/second"' in request for request in seen] == [False, False, False, True]
    assert len(elsewhere) == 1
    assert b"authorization" not in elsewhere[0].lower()


async def test_bearer(check: Check) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page())) as port:
        await check("http", url=f"http://127.0.0.1:{port}/", auth="bearer", bearer_token="t0k3n")

    assert b"authorization: Bearer t0k3n\r\n" in seen[0]


class Provider:
    """Gives tokens t1, t2, …, and notes who asked."""

    def __init__(self, life: Any = 3600) -> None:
        self.seen: list[bytes] = []
        self.life = life
        self.delay = 0.0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen.append(await request_of(reader))
        await asyncio.sleep(self.delay)
        body = json.dumps({"access_token": f"t{len(self.seen)}", "token_type": "Bearer", "expires_in": self.life})
        writer.write(page(body.encode(), headers="Content-Type: application/json\r\n"))
        await writer.drain()


def client(token: int, port: int, **more: Any) -> dict[str, Any]:
    return {
        "url": f"http://127.0.0.1:{port}/",
        "auth": "oauth2",
        "oauth_token_url": f"http://127.0.0.1:{token}/token?tenant=hidden",
        "oauth_client_id": "pinguin",
        "oauth_client_secret": "s3cret ü",
        **more,
    }


async def test_oauth_fetches_a_token_once_for_all_checks(check: Check) -> None:
    provider, seen = Provider(), list[bytes]()
    async with serving(provider) as token, serving(recording(seen, page())) as port:
        first = await check("http", **client(token, port, oauth_scope="read write", oauth_audience="api"))
        await asyncio.gather(
            *(check("http", **client(token, port, oauth_scope="read write", oauth_audience="api")) for _ in range(5))
        )
        await check("http", **client(token, port, oauth_scope="other", oauth_credentials="body"))

    assert first.status is Status.UP, first.message
    assert [b"authorization: Bearer t1\r\n" in request for request in seen] == [True] * 6 + [False]
    assert len(provider.seen) == 2
    head, _, body = provider.seen[0].partition(b"\r\n\r\n")
    assert body == b"grant_type=client_credentials&scope=read+write&audience=api"
    assert b"authorization: Basic " + b64encode(b"pinguin:s3cret+%C3%BC") in head
    assert provider.seen[1].endswith(b"&scope=other&client_id=pinguin&client_secret=s3cret+%C3%BC")
    assert b"authorization" not in provider.seen[1].lower()


async def test_parallel_checks_wait_for_one_token(check: Check) -> None:
    """The token is not the target's time. This machine may be busy in some of five tries."""
    provider, slowest = Provider(), list[float]()
    provider.delay = 0.5
    async with serving(provider) as token, serving(answering(page())) as port:
        while len(slowest) < 5 and min(slowest, default=math.inf) >= 400:
            more = {"oauth_scope": f"try{len(slowest)}"}
            reports = await asyncio.gather(*(check("http", **client(token, port, **more)) for _ in range(20)))
            assert {report.status for report in reports} == {Status.UP}
            slowest.append(max(report.latency_ms or math.inf for report in reports))
            assert len(provider.seen) == len(slowest)

    assert min(slowest) < 400


async def test_a_token_that_the_server_refuses_is_fetched_anew_once(check: Check) -> None:
    provider, seen = Provider(), list[bytes]()
    denied = page(b"", "401 Unauthorized")
    async with serving(provider) as token, serving(recording(seen, denied, page(), denied)) as port:
        good = await check("http", **client(token, port))
        bad = await check("http", **client(token, port))

    assert (good.status, bad.reason) == (Status.UP, "status")
    tokens = [re.search(rb"Bearer (\w+)", request) for request in seen]
    assert [found and found[1] for found in tokens] == [b"t1", b"t2", b"t2", b"t3"]


@pytest.mark.parametrize("life", ["nan", "inf"])
async def test_no_token_lives_for_ever(check: Check, monkeypatch: pytest.MonkeyPatch, life: str) -> None:
    provider, clock = Provider(life), 1000.0
    monkeypatch.setattr("pinguin.checks.http.tokens.time.monotonic", lambda: clock)
    async with serving(provider) as token, serving(answering(page())) as port:
        await check("http", **client(token, port))
        clock += 301
        await check("http", **client(token, port))

    assert len(provider.seen) == 2


async def test_a_token_near_its_end_is_not_used(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider(life="100")
    clock = 1000.0
    monkeypatch.setattr("pinguin.checks.http.tokens.time.monotonic", lambda: clock)
    async with serving(provider) as token, serving(answering(page())) as port:
        await check("http", **client(token, port))
        clock += 85
        await check("http", **client(token, port))
        assert len(provider.seen) == 1
        clock += 10
        await check("http", **client(token, port))
        assert len(provider.seen) == 2


REFUSALS: dict[str, tuple[bytes, str, str]] = {
    "wrong client": (
        page(b'{"error": "invalid_client"}', "401 Unauthorized"),
        "status",
        "answered 401 (invalid_client)",
    ),
    "an odd error": (page(b'{"error": "<script>"}', "400 Bad"), "status", "answered 400"),
    "no JSON": (page(b"<html>"), "body", "holds none"),
    "no token": (page(b"{}"), "body", "holds none"),
    "an evil token": (page(b'{"access_token": "a\\r\\nX: y"}'), "body", "is none"),
    "a bad life": (page(b'{"access_token": "a", "expires_in": "soon"}'), "body", "holds none"),
    "nothing": (b"", "reset", "closed without an answer"),
    "endless": (page(b"x" * 200_000), "too_large", "larger than"),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_no_token(check: Check, case: str) -> None:
    answer, reason, words = REFUSALS[case]
    async with serving(answering(answer)) as token, serving(answering(page())) as port:
        report = await check("http", **client(token, port))

    assert (report.status, report.reason) == (Status.DOWN, reason)
    assert words in str(report.message)
    assert f"http://127.0.0.1:{token}/token?…" in str(report.message)
    assert "hidden" not in repr(report)


async def test_a_cancelled_fetch_holds_up_nobody(check: Check) -> None:
    provider = Provider()
    provider.delay = 0.3
    async with serving(provider) as token, serving(answering(page())) as port:
        late = await check("http", timeout=0.1, **client(token, port))
        provider.delay = 0
        good = await check("http", **client(token, port))

    assert (late.reason, good.status) == ("timeout", Status.UP)
    assert f"waiting for a token from http://127.0.0.1:{token}/token?…" in str(late.message)
