"""What a check costs: CPU of the worker process from dequeue to committed row, beside the peers, in one run.

    python -m bench.checks [--seconds 10] [--rounds 3] [--assert]

The target is nginx on loopback (`ping`: loopback itself). Rounds alternate between us and the peers; medians count.
We and blackbox_exporter check 250 times a second, all of them at its beginning; what blackbox_exporter takes when it
probes as fast as it can, which is less, is shown beside it.
A peer that is not installed is named as missing, and its bounds are missed.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from psycopg.types.json import Jsonb

from bench import latency
from bench.bounds import Bound, verdict
from bench.peers import Peer, ab_cost, blackbox, check_http_cost, find, missing, probe_cost, wrk_cost
from bench.processes import cpu_seconds, memory_mb
from pinguin.broker import Broker
from pinguin.embedded.stack import EmbeddedStack
from pinguin.lifecycle import configure_logs
from pinguin.settings import Settings
from pinguin.setup import prepare_database

HTTP_PORT, HTTPS_PORT = 18180, 18181
MONITORS, INTERVAL_S = 500, 2
A_SECOND = MONITORS // INTERVAL_S
FLAT_OUT = "blackbox_exporter, flat out"
PATIENCE_S, SETTLE_S, TRIES = 60, 5, 12
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{http} backlog=4096; return 200 "well\\n"; }}
  server {{
    listen 127.0.0.1:{https} ssl backlog=4096; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache off; ssl_session_tickets off; return 200 "well\\n";
  }}
}}
"""


def make_certificate(folder: Path) -> Path:
    """A chain of one: an ECDSA certificate that is its own authority."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem"


@contextmanager
def nginx(folder: Path) -> Iterator[None]:
    program = find("nginx")
    if program is None:
        raise SystemExit(f"the bench needs a target: {missing('nginx').missing}")
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, http=HTTP_PORT, https=HTTPS_PORT))
    process = subprocess.Popen([program, "-c", str(config), "-p", str(folder)])
    try:
        time.sleep(3.5)  # it tries for so long where another has its ports
        if process.poll() is not None:
            raise SystemExit("the bench needs a target: nginx did not start")
        yield
    finally:
        process.terminate()
        process.wait()


def options(authority: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """The monitor of each kind: check type and options."""
    https = {"url": f"https://localhost:{HTTPS_PORT}/", "ca_certificates": authority.read_text(), "ip_version": "4"}
    return {
        "http": ("http", {"url": f"http://127.0.0.1:{HTTP_PORT}/"}),
        "https": ("http", https),
        "tcp": ("tcp", {"host": "127.0.0.1", "port": HTTP_PORT}),
        "ping": ("ping", {"host": "127.0.0.1", "count": 1}),
    }


class Ours:
    """The real scheduler and worker on the embedded stack."""

    def __init__(self, stack: EmbeddedStack) -> None:
        self._stack = stack
        self._settings = msgspec.structs.replace(
            Settings(), database_url=stack.database_url, redis_url=stack.redis_url, log_level="error"
        )
        self._worker = 0
        self._idle_s = 1.0

    async def start(self) -> None:
        await prepare_database(self._settings)
        for name in ("scheduler", "worker"):
            child = await self._stack.supervisor.start(
                name, [sys.executable, "-m", "pinguin", name], env=self._settings.environment(), grace=20
            )
            self._worker = child.pid or 0

    async def idle(self, seconds: int) -> float:
        """CPU milliseconds that the worker takes a second for being there: it is no check's, and shown apart."""
        await asyncio.sleep(SETTLE_S)
        before = cpu_seconds(self._worker)
        await asyncio.sleep(seconds)
        spent = (cpu_seconds(self._worker) - before) / seconds
        self._idle_s = min(self._idle_s, spent)
        return 1000 * spent

    async def cost(self, type_name: str, given: Mapping[str, Any], seconds: int) -> float:
        """CPU microseconds of the worker process a check, beyond what `idle` found."""
        await self._ask(
            "insert into monitors (name, type, target, options, interval_s, timeout_s) "
            "select 'bench', %s, 'bench', %s, %s, 2 from generate_series(1, %s) returning id",
            type_name, Jsonb(dict(given)), INTERVAL_S, MONITORS,
        )  # fmt: skip
        await self._announce()
        await self._until_checked()
        for _ in range(TRIES):
            found = await self._window(seconds)
            if found is not None:
                break
        else:
            raise SystemExit(f"{type_name}: the database does not keep up; this machine is too busy to measure on")
        failed = await self._ask("select status, reason, message from results where status <> 'up' limit 1")
        if failed:
            raise SystemExit(f"{type_name}: a check was not up: {failed[0]}")
        await self._ask("update monitors set archived_at = now() where archived_at is null returning id")
        await self._announce()
        await asyncio.sleep(1)
        return found

    async def _window(self, seconds: int) -> float | None:
        """CPU microseconds a check; None where results had to wait: then rows and checks are not each other's."""
        before, rows, began = cpu_seconds(self._worker), await self._rows(), time.monotonic()
        await asyncio.sleep(seconds)
        spent, done = cpu_seconds(self._worker) - before, await self._rows() - rows
        spent -= self._idle_s * (time.monotonic() - began)
        expected = A_SECOND * seconds
        if await self._waiting() or not 0.8 * expected < done < 1.2 * expected:
            await asyncio.sleep(SETTLE_S)
            return None
        return 1e6 * spent / done

    async def _waiting(self) -> int:
        async with Broker.connect(self._settings.redis_url) as broker:
            return await broker.backlog.results.count()

    async def memory(self, authority: Path) -> float:
        """MB of the worker with 10,000 monitors known and 1,000 checks in flight, on a target that never answers."""
        server = await asyncio.start_server(_never_answer, "127.0.0.1", HTTP_PORT + 2, backlog=4096)
        silent = {"url": f"http://127.0.0.1:{HTTP_PORT + 2}/"}
        await self._ask(
            "insert into monitors (name, type, target, options, interval_s, timeout_s) "
            "select 'bench', 'http', 'bench', %s, 60, 8 from generate_series(1, 10000) returning id", Jsonb(silent)
        )  # fmt: skip
        child = await self._stack.supervisor.start(
            "wide worker",
            [sys.executable, "-m", "pinguin", "worker"],
            env=msgspec.structs.replace(self._settings, worker_concurrency=1000, region="wide").environment(),
            grace=20,
        )
        await self._ask("update monitors set regions = '{wide}' where archived_at is null returning id")
        await self._announce()
        most = 0.0
        for _ in range(60):
            await asyncio.sleep(1)
            most = max(most, memory_mb(child.pid or 0))
        server.close()
        return most

    async def _until_checked(self) -> None:
        """Until every monitor has been checked twice, so that what is learnt first is learnt."""
        for _ in range(PATIENCE_S):
            await asyncio.sleep(1)
            sql = "select count(*) from results where monitor_id in (select id from monitors where archived_at is null)"
            if (await self._ask(sql))[0][0] >= 2 * MONITORS and not await self._waiting():
                return
        async with Broker.connect(self._settings.redis_url) as broker:
            raise SystemExit(f"the monitors are not checked: {await broker.look(60)}")

    async def _announce(self) -> None:
        ids = [row[0] for row in await self._ask("select id from monitors")]
        async with Broker.connect(self._settings.redis_url) as broker:
            await broker.announce_change(ids)

    async def _rows(self) -> int:
        return int((await self._ask("select count(*) from results"))[0][0])

    async def _ask(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        async with await psycopg.AsyncConnection.connect(self._stack.database_url, autocommit=True) as conn:
            return await (await conn.execute(sql, arguments)).fetchall()


async def _never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


Costs = dict[str, list[float]]
IDLE = "(an idle worker, ms a second)"


async def measure(folder: Path, seconds: int, rounds: int) -> tuple[Costs, dict[str, str], float]:
    """CPU microseconds a check by `kind of who`, what is missing, and the worker's memory in MB."""
    costs: Costs = {}
    absent: dict[str, str] = {}

    def note(label: str, peer: Peer) -> None:
        if peer.cpu_us is None:
            absent[label] = f"{peer.name}: {peer.missing}"
        else:
            costs.setdefault(label, []).append(peer.cpu_us)

    authority = make_certificate(folder)
    kinds = options(authority)
    url = {"http": f"http://127.0.0.1:{HTTP_PORT}/", "https": f"https://localhost:{HTTPS_PORT}/"}
    probed = {**url, "tcp": f"127.0.0.1:{HTTP_PORT}", "ping": "127.0.0.1"}
    peers: list[tuple[str, Callable[[], Peer]]] = [
        ("http of wrk", lambda: wrk_cost(url["http"], seconds)),
        ("https of ab", lambda: ab_cost(f"https://127.0.0.1:{HTTPS_PORT}/", 500 * seconds)),
        ("http of check_http", lambda: check_http_cost(HTTP_PORT, 50)),
    ]
    with nginx(folder), blackbox(folder, authority) as exporter:
        async with EmbeddedStack(folder / "data") as stack:
            ours = Ours(stack)
            await ours.start()
            for _ in range(rounds):
                costs.setdefault(IDLE, []).append(await ours.idle(seconds))
                for kind, (type_name, given) in kinds.items():
                    costs.setdefault(f"{kind} of ours", []).append(await ours.cost(type_name, given, seconds))
                    for label, pace in (("blackbox_exporter", A_SECOND), (FLAT_OUT, None)):
                        found = await asyncio.to_thread(probe_cost, exporter, kind, probed[kind], seconds, pace)
                        note(f"{kind} of {label}", found)
                for label, ask in peers:
                    note(label, await asyncio.to_thread(ask))
            memory = await ours.memory(authority)
    return costs, absent, memory


def bounds(costs: Mapping[str, float], memory: float) -> list[Bound]:
    """As the issue of the check engine has them. A ratio to a peer that is missing is infinite: it is missed."""

    def ratio(kind: str, peer: str) -> float:
        return costs[f"{kind} of ours"] / costs.get(f"{kind} of {peer}", 0.0) if f"{kind} of {peer}" in costs else 1e9

    return [
        Bound("HTTP to blackbox_exporter", ratio("http", "blackbox_exporter"), 0.30),
        Bound("HTTP to wrk", ratio("http", "wrk"), 8),
        Bound("HTTPS to blackbox_exporter", ratio("https", "blackbox_exporter"), 0.65),
        Bound("HTTPS to ab", ratio("https", "ab"), 1.5),
        Bound("TCP to blackbox_exporter", ratio("tcp", "blackbox_exporter"), 0.35),
        Bound("ping to blackbox_exporter", ratio("ping", "blackbox_exporter"), 0.15),
        Bound("memory, 10,000 monitors, 1,000 checks in flight", memory, 150, "MB"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="how often; medians count")
    parser.add_argument("--assert", action="store_true", dest="enforced", help="exit 1 where a bound is missed")
    arguments = parser.parse_args()
    configure_logs(Settings(log_level="error"), "bench")
    folder = Path(tempfile.mkdtemp(prefix="pinguin-bench-"))
    try:
        costs, absent, memory = asyncio.run(measure(folder, arguments.seconds, arguments.rounds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    late = uvloop.run(latency.errors())
    medians = {label: statistics.median(values) for label, values in costs.items()}
    print(f"\n{'CPU µs a check':<34}{'median':>10}{'least':>10}{'most':>10}")
    for label in sorted(medians):
        print(f"{label:<34}{medians[label]:>10.0f}{min(costs[label]):>10.0f}{max(costs[label]):>10.0f}")
    for label, why in absent.items():
        print(f"{label:<34}   missing: {why}")
    print(f"worker's memory, 10,000 monitors, 1,000 checks in flight: {memory:.0f} MB")
    latency.show(late)
    print(f"The machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} over the last minute.")
    return verdict([*bounds(medians, memory), latency.bound(late)], enforced=arguments.enforced)


if __name__ == "__main__":
    sys.exit(main())
