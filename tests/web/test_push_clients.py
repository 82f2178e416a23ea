"""What healthchecks.io documents for its users, replayed with the programs themselves over real HTTP: a job only
changes its host. The calls are those of its documentation (bash, Python, PowerShell, measuring run time).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from litestar import Litestar

from pinguin.db import Pool
from tests.factory import fetch
from tests.store.pushing import add_push, status, token
from tests.web.streams import served


@pytest.fixture
async def url(app: Litestar, pool: Pool) -> AsyncIterator[str]:
    """The address of a monitor's pings, as hc-ping.com has it."""
    known: UUID = await token(pool, await add_push(pool, period_s=3600))
    async with served(app) as base:
        yield f"{base}/{known}"


async def run(*command: str, expected: int = 0) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == expected, err.decode()
    return out.decode()


async def shell(script: str, url: str) -> str:
    return await run("bash", "-c", f"PING_URL={url}\n{script}")


async def kept(pool: Pool) -> list[tuple[Any, ...]]:
    return await fetch(pool, "select kind, exit_code, method, body from pings order by at")


SCRIPTS = [
    ("curl -m 10 --retry 5 $PING_URL", ("success", None, "GET", "")),
    ("curl -fsS -m 10 --retry 5 -o /dev/null $PING_URL", ("success", None, "GET", "")),
    ("curl --retry 3 $PING_URL/fail", ("fail", None, "GET", "")),
    ("false; curl -m 10 --retry 5 $PING_URL/$?", ("exit", 1, "GET", "")),
    ("true; curl -m 10 --retry 5 $PING_URL/$?", ("exit", 0, "GET", "")),
    (
        'm=$(echo one; echo two 2>&1); curl -fsS -m 10 --retry 5 --data-raw "$m" $PING_URL',
        ("success", None, "POST", "one\ntwo"),
    ),
    (
        'm=$(echo broken; exit 7); curl -fsS -m 10 --retry 5 --data-raw "$m" $PING_URL/$?',
        ("exit", 7, "POST", "broken"),
    ),
    ("printf 'a\\nb\\n' | curl -fsS -m 10 --data-binary @- $PING_URL/log", ("log", None, "POST", "a\nb\n")),
    ("curl -fsS -I $PING_URL", ("success", None, "HEAD", "")),
    ("curl -fsS --http1.0 $PING_URL", ("success", None, "GET", "")),
]


@pytest.mark.parametrize(("script", "ping"), SCRIPTS, ids=[script for script, _ in SCRIPTS])
async def test_bash(url: str, pool: Pool, script: str, ping: tuple[Any, ...]) -> None:
    await shell(script, url)
    assert await kept(pool) == [ping]


async def test_bash_with_a_run_id_around_the_job(url: str, pool: Pool) -> None:
    rid = uuid4()
    await shell(
        f"RID={rid}; curl -fsS -m 10 --retry 5 $PING_URL/start?rid=$RID; sleep 0.2;"
        " curl -fsS -m 10 --retry 5 $PING_URL?rid=$RID",
        url,
    )
    [(duration, run_id)] = await fetch(pool, "select duration_ms, run_id from pings where kind = 'success'")
    assert run_id == rid
    assert 200 <= duration < 30_000


async def test_a_file_of_many_megabytes(url: str, pool: Pool) -> None:
    """curl asks first (Expect: 100-continue); the ping counts, and curl is not cut off."""
    out = await shell("head -c 30000000 /dev/zero | tr '\\0' x | curl -fsS -m 60 --data-binary @- $PING_URL/0", url)
    assert out == "OK"
    assert await fetch(pool, "select length(body) from pings") == [(10_000,)]


async def test_curl_sees_a_wrong_address(url: str) -> None:
    await run("curl", "-fsS", "-m", "10", url.rpartition("/")[0] + f"/{uuid4()}", expected=22)


PYTHON = [
    ('urllib.request.urlopen("{url}", timeout=10)', ("success", None, "GET", "")),
    (
        'urllib.request.urlopen("{url}", data=b"temperature=-7", timeout=10)',
        ("success", None, "POST", "temperature=-7"),
    ),
]


@pytest.mark.parametrize(("call", "ping"), PYTHON, ids=["get", "post"])
async def test_python(url: str, pool: Pool, call: str, ping: tuple[Any, ...]) -> None:
    code = f"import urllib.request\nassert {call.format(url=url)}.read() == b'OK'"
    await run(sys.executable, "-c", code)
    assert await kept(pool) == [ping]


POWERSHELL = [
    (
        "GET {path} HTTP/1.1\r\nUser-Agent: Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US)"
        " WindowsPowerShell/5.1.19041.5247\r\nHost: {host}\r\nConnection: Keep-Alive\r\n\r\n",
        ("success", None, "GET", ""),
    ),
    (
        "POST {path} HTTP/1.1\r\nUser-Agent: Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US)"
        " WindowsPowerShell/5.1.19041.5247\r\nContent-Type: application/x-www-form-urlencoded\r\nHost: {host}\r\n"
        "Content-Length: 14\r\nExpect: 100-continue\r\nConnection: Keep-Alive\r\n\r\ntemperature=-7",
        ("success", None, "POST", "temperature=-7"),
    ),
]


@pytest.mark.parametrize(("request_text", "ping"), POWERSHELL, ids=["get", "post"])
async def test_powershell(url: str, pool: Pool, request_text: str, ping: tuple[Any, ...]) -> None:
    """What Invoke-RestMethod sends."""
    host, _, token_text = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    writer.write(request_text.format(path=f"/{token_text}", host=host).encode())
    async with asyncio.timeout(60):
        answer = await reader.readuntil(b"\r\n\r\nOK")
    writer.close()
    await writer.wait_closed()
    assert b"HTTP/1.1 200 OK\r\n" in answer
    assert await kept(pool) == [ping]


async def test_many_jobs_on_one_kept_connection(url: str, pool: Pool) -> None:
    paths = " ".join([url] * 5)
    assert await run("curl", "-fsS", *paths.split()) == "OK" * 5
    assert await fetch(pool, "select count(*) from pings") == [(5,)]


async def test_a_job_that_hangs_up_in_the_middle_has_not_pinged(url: str, pool: Pool) -> None:
    host, _, token_text = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    _, writer = await asyncio.open_connection(name, int(port))
    writer.write(f"POST /{token_text}/fail HTTP/1.1\r\nHost: {host}\r\nContent-Length: 50000\r\n\r\nhalf".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await run("curl", "-fsS", url)
    assert [row[0] for row in await kept(pool)] == ["success"]
    assert (await status(pool, 1))[0] == "up"
