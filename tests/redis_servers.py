"""Redis servers of our own, on loopback, with passwords, users, certificates and sentinels."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.lacking import lacks
from tests.ports import free_port


def redis_server() -> str:
    """Debian's redis-server, which knows TLS and Sentinel. CI must have it; a laptop may not."""
    return shutil.which("redis-server") or lacks("redis-server is missing: scripts/need redis-server")


@dataclass
class Server:
    port: int
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def running(argv: Sequence[str], port: int) -> Iterator[Server]:
    """A server that listens on `port`."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    try:
        _await_listening(process, port)
        yield Server(port, process)
    finally:
        process.kill()
        process.wait()


def _await_listening(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 60
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, "it ended at once"
        assert time.monotonic() < until, "it does not listen"
        time.sleep(0.05)


@dataclass
class Certificates:
    """Files: the authority, and a certificate for 127.0.0.1 with its key."""

    authority: Path
    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> Certificates:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1", "localhost")
        made = cls(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
        authority.cert_pem.write_to_path(str(made.authority))
        issued.cert_chain_pems[0].write_to_path(str(made.certificate))
        issued.private_key_pem.write_to_path(str(made.key))
        return made

    def options(self, port: int) -> dict[str, str]:
        """For a server that listens with TLS alone."""
        return {
            "port": "0",
            "tls-port": str(port),
            "tls-ca-cert-file": str(self.authority),
            "tls-cert-file": str(self.certificate),
            "tls-key-file": str(self.key),
            "tls-auth-clients": "no",
            "tls-replication": "yes",
        }


@contextmanager
def redis(folder: Path, program: str | None = None, at: int | None = None, **given: str) -> Iterator[Server]:
    """A server without persistence on a free port, or that of `at`; `given` are its options, with _ for -."""
    port = at or int(given.pop("tls_port", 0)) or free_port()
    options = {"port": str(port), "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": str(folder)}
    options["repl-diskless-sync-delay"] = "0"
    options |= {name.replace("_", "-"): value for name, value in given.items()}
    if options["port"] == "0":
        options["tls-port"] = str(port)
    words = [word for name, value in options.items() for word in (f"--{name}", *value.split(" "))]
    with running([program or redis_server(), *words], port) as server:
        yield server


@contextmanager
def sentinel(folder: Path, master: int, password: str, tls: dict[str, str]) -> Iterator[Server]:
    """A sentinel of `mymaster` on port `master`; two must agree that it is gone. tls: `Certificates.options`."""
    port = free_port()
    lines = ["bind 127.0.0.1", f"dir {folder}", f"requirepass {password}", f"sentinel sentinel-pass {password}"]
    lines += [
        f"{name} {value}" for name, value in (tls | {"tls-port": str(port)} if tls else {"port": str(port)}).items()
    ]
    lines += [
        f"sentinel monitor mymaster 127.0.0.1 {master} 2",
        f"sentinel auth-pass mymaster {password}",
        "sentinel down-after-milliseconds mymaster 1000",
        "sentinel failover-timeout mymaster 4000",
    ]
    config = folder / f"sentinel-{port}.conf"
    config.write_text("\n".join(lines) + "\n")
    with running([redis_server(), str(config), "--sentinel"], port) as server:
        yield server
