"""Every kind of Redis that an address can name, each with real servers: passwords, users, TLS, sentinels, Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import redis.asyncio as aioredis

from pinguin.broker import Broker
from pinguin.embedded.valkey import find_server
from pinguin.errors import SettingsError, Unavailable
from pinguin.metrics import SchedulerMetrics
from pinguin.model import Definition
from pinguin.scheduler.dispatch import dispatch_forever
from tests.redis_servers import Certificates, Server, redis, redis_server, sentinel

FAILOVER_S = 20.0
"""Once the sentinels have made the replica master: to find it, and to connect to it."""


async def use(broker: Broker) -> None:
    """Everything that Pinguin wants of Redis: scripts, queues, events, leadership, INFO."""
    token = await broker.lead("test", 60)
    assert token is not None
    async with broker.subscribe() as events:
        assert await broker.define(token, [Definition(1, 1, 60, 0, 1.0, ["local"])], [], soon=True)
        await broker.dispatch()
        jobs = await broker.take("local", 10, 1)
        assert [job.monitor_id for job in jobs] == [1]
        await broker.present("local", "w")
        assert (await broker.look(20)).leased == 1
        await broker.release(jobs)
        await broker.announce_results([1])
        event = await events.next(60)
        assert event is not None
    assert await broker.renew(token, 60)
    await broker.backlog.results.keep([(True, 0, "x")], 1000)
    assert await broker.backlog.results.may_drain("w", 1)
    ((text, number),) = await broker.backlog.results.peek(10)
    assert text == "x"
    await broker.backlog.results.forget([number])
    assert await broker.backlog.results.count() == 0
    assert (await broker.server())["redis_version"]
    await broker.resign(token)


@pytest.mark.parametrize("program", ["valkey", "redis"])
async def test_a_password_and_a_database_number(tmp_path: Path, program: str) -> None:
    server = find_server() if program == "valkey" else redis_server()
    with redis(tmp_path, server, requirepass="sesame") as there:
        async with Broker.connect(f"redis://:sesame@127.0.0.1:{there.port}/3") as broker:
            await use(broker)
        async with aioredis.Redis(port=there.port, password="sesame", db=3) as third:
            assert await third.exists("pinguin:counters")
        async with aioredis.Redis(port=there.port, password="sesame", db=0) as zeroth:
            assert await zeroth.keys() == []


@pytest.mark.parametrize("credentials", [":guessed@", "", "nobody:guessed@"])
async def test_a_wrong_password_is_said_and_not_shown(tmp_path: Path, credentials: str) -> None:
    with redis(tmp_path, requirepass="sesame") as there:
        async with Broker.connect(f"redis://{credentials}127.0.0.1:{there.port}") as broker:
            with pytest.raises(Unavailable, match=r"(?i)password|authenticat") as refusal:
                await broker.dispatch()
            assert "guessed" not in str(refusal.value)


async def test_a_user_that_may_do_what_pinguin_needs_and_no_more(tmp_path: Path) -> None:
    """The rule of README's section on Redis."""
    rule = "pinguin on >sesame ~pinguin:* &pinguin:* +@all -@admin -@dangerous +info"
    with redis(tmp_path, user=rule, requirepass="other") as there:
        async with Broker.connect(f"redis://pinguin:sesame@127.0.0.1:{there.port}/0") as broker:
            await use(broker)


async def test_a_socket_with_a_password(tmp_path: Path) -> None:
    with redis(tmp_path, requirepass="sesame", unixsocket=str(tmp_path / "s")):
        async with Broker.connect(f"unix://{tmp_path}/s?db=1&password=sesame") as broker:
            await use(broker)


class TestTls:
    @pytest.fixture
    def certificates(self, tmp_path: Path) -> Certificates:
        return Certificates.make(tmp_path)

    @pytest.fixture
    def server(self, tmp_path: Path, certificates: Certificates) -> Iterator[Server]:
        options: dict[str, Any] = {name.replace("-", "_"): value for name, value in certificates.options(0).items()}
        with redis(tmp_path, **options, requirepass="sesame") as there:
            yield there

    async def test_a_server_with_a_certificate_of_our_authority(
        self, server: Server, certificates: Certificates
    ) -> None:
        url = f"rediss://:sesame@127.0.0.1:{server.port}/2?ssl_ca_certs={certificates.authority}"
        async with Broker.connect(url) as broker:
            await use(broker)

    async def test_a_certificate_of_an_authority_that_we_do_not_know_is_refused(self, server: Server) -> None:
        async with Broker.connect(f"rediss://:sesame@127.0.0.1:{server.port}") as broker:
            with pytest.raises(Unavailable, match="certificate verify failed"):
                await broker.dispatch()

    async def test_a_server_that_wants_our_certificate(self, tmp_path: Path, certificates: Certificates) -> None:
        options: dict[str, Any] = {name.replace("-", "_"): value for name, value in certificates.options(0).items()}
        with redis(tmp_path, **(options | {"tls_auth_clients": "yes"})) as there:
            url = f"rediss://127.0.0.1:{there.port}/0?ssl_ca_certs={certificates.authority}"
            async with Broker.connect(url) as broker:
                with pytest.raises(Unavailable):
                    await broker.dispatch()
            mine = f"&ssl_certfile={certificates.certificate}&ssl_keyfile={certificates.key}"
            async with Broker.connect(url + mine) as broker:
                await use(broker)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_sentinels_find_another_master_and_dispatch_goes_on(tmp_path: Path, encrypted: bool) -> None:
    certificates = Certificates.make(tmp_path)
    tls = certificates.options(0) if encrypted else {}
    options: dict[str, Any] = {name.replace("-", "_"): value for name, value in tls.items()}
    options |= {"requirepass": "sesame", "masterauth": "sesame"}
    with ExitStack() as servers:
        folders = [tmp_path / name for name in ("master", "replica", "one", "two", "three")]
        for folder in folders:
            folder.mkdir()
        master = servers.enter_context(redis(folders[0], **options))
        replica = servers.enter_context(redis(folders[1], **options, replicaof=f"127.0.0.1 {master.port}"))
        sentinels = [servers.enter_context(sentinel(folder, master.port, "sesame", tls)) for folder in folders[2:]]
        nodes = ",".join(f"127.0.0.1:{server.port}" for server in sentinels)
        url = f"redis+sentinel://:sesame@{nodes}/mymaster/1?sentinel_password=sesame"
        if encrypted:
            url = url.replace("redis+", "rediss+") + f"&ssl_ca_certs={certificates.authority}"
        async with Broker.connect(url) as broker:
            token = await broker.lead("test", 300)
            assert token is not None
            await broker.define(token, [Definition(1, 1, 1, 0, 1.0, ["local"])], [], soon=True)
            stop, metrics = asyncio.Event(), SchedulerMetrics()
            dispatching = asyncio.create_task(dispatch_forever(broker, stop, metrics))
            await taken(broker)
            await follows(replica, certificates if encrypted else None)
            ports = [server.port for server in sentinels]
            await say(ports, certificates if encrypted else None, {"num-slaves": 1, "num-other-sentinels": 2})

            master.kill()
            killed = monotonic()
            await say(ports, certificates if encrypted else None, {"port": replica.port})
            promoted = monotonic()
            await taken(broker)
            assert monotonic() - promoted < FAILOVER_S
            print(f"dispatch went on {monotonic() - killed:.1f} s after the master ended")
            assert metrics.dispatch_age_s() is not None
            assert await broker.leader() == token, "the new master knows what the old one knew"
            stop.set()
            await asyncio.wait_for(dispatching, 60)


async def say(ports: Sequence[int], certificates: Certificates | None, wanted: dict[str, int]) -> None:
    """Wait until the sentinels say this of their master. One that stood still trusts nobody for 30 s."""
    tls: dict[str, Any] = {"ssl": True, "ssl_ca_certs": str(certificates.authority)} if certificates else {}
    async with asyncio.timeout(150):
        for port in ports:
            async with aioredis.Redis(port=port, password="sesame", decode_responses=True, **tls) as sentinel:
                while wanted.items() - (await _master(sentinel)).items():
                    await asyncio.sleep(0.1)


async def _master(sentinel: Any) -> dict[str, Any]:
    found: dict[str, Any] = await sentinel.sentinel_master("mymaster")
    return found


async def follows(replica: Server, certificates: Certificates | None) -> None:
    """Wait until the replica has what its master has."""
    scheme, query = ("rediss", f"?ssl_ca_certs={certificates.authority}") if certificates else ("redis", "")
    async with Broker.connect(f"{scheme}://:sesame@127.0.0.1:{replica.port}/1{query}") as broker, asyncio.timeout(60):
        while not await broker.definitions():
            await asyncio.sleep(0.1)


async def taken(broker: Broker) -> None:
    """Wait for a job, and finish it. What is said meanwhile shows no password."""
    complaints = []
    async with asyncio.timeout(150):
        while True:
            try:
                if jobs := await broker.take("local", 10, 1):
                    await broker.release(jobs)
                    break
            except Unavailable as error:
                complaints.append(str(error))
                await asyncio.sleep(0.2)
    assert "sesame" not in " ".join(complaints)


async def test_sentinels_that_do_not_answer_are_named_without_a_password() -> None:
    async with Broker.connect("redis+sentinel://:sesame@127.0.0.1:1/mymaster?sentinel_password=sesame") as broker:
        with pytest.raises(Unavailable, match="No master found for 'mymaster'") as refusal:
            await broker.dispatch()
        assert "sesame" not in str(refusal.value)


async def test_a_bad_address_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="PINGUIN_REDIS_URL"):
        async with Broker.connect("redis+sentinel://:sesame@127.0.0.1:1"):
            pass
