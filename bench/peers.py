"""The peers that the check engine is measured beside: blackbox_exporter, check_http, wrk and ab, on the same target."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from bench.processes import cpu_seconds

BLACKBOX_PORT = 19115
PLUGINS = "/usr/lib/nagios/plugins"
DEBIAN = {
    "prometheus-blackbox-exporter": "prometheus-blackbox-exporter",
    "wrk": "wrk",
    "ab": "apache2-utils",
    "check_http": "monitoring-plugins-basic",
    "nginx": "nginx-light",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """CPU microseconds of the peer's own process a check; None, and why, where it cannot be had."""

    name: str
    cpu_us: float | None
    missing: str = ""


def find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=f"{os.defpath}:/usr/sbin:{PLUGINS}")


def missing(name: str) -> Peer:
    return Peer(name, None, f"install {DEBIAN[name]}")


@contextmanager
def blackbox(folder: Path, authority: Path) -> Iterator[subprocess.Popen[bytes] | None]:
    """blackbox_exporter on loopback, with a module for each kind of check; None where it is not installed."""
    program = find("prometheus-blackbox-exporter")
    if program is None:
        yield None
        return
    http = {"preferred_ip_protocol": "ip4", "tls_config": {"ca_file": str(authority)}}
    modules = {
        "http": {"prober": "http", "http": http},
        "https": {"prober": "http", "http": http},
        "tcp": {"prober": "tcp", "tcp": {"preferred_ip_protocol": "ip4"}},
        "ping": {"prober": "icmp", "icmp": {"preferred_ip_protocol": "ip4"}},
    }
    config = folder / "blackbox.yml"
    config.write_text(yaml.safe_dump({"modules": modules}))
    arguments = [f"--config.file={config}", f"--web.listen-address=127.0.0.1:{BLACKBOX_PORT}", "--log.level=error"]
    process = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        yield process
    finally:
        process.terminate()
        process.wait()


def probe_cost(
    process: subprocess.Popen[bytes] | None, module: str, target: str, seconds: int, a_second: int | None
) -> Peer:
    """blackbox_exporter's own CPU a probe: `a_second` of them, all at the beginning of each, as our dispatch does it,
    or as many as it can (None), when its caches stay warm. It is asked by a program of little cost of its own.
    """
    name, wrk, ab = "blackbox_exporter", find("wrk"), find("ab")
    if process is None:
        return missing("prometheus-blackbox-exporter")
    if wrk is None or ab is None:
        return missing("ab" if wrk else "wrk")
    url = f"http://127.0.0.1:{BLACKBOX_PORT}/probe?{urlencode({'module': module, 'target': target})}"
    with urlopen(url, timeout=10) as answer:
        if b"probe_success 1" not in answer.read():
            return Peer(name, None, f"its {module} probe fails here")
    load = [wrk, "-t1", "-c20"]
    subprocess.run([*load, "-d1", url], capture_output=True, check=True)
    before = cpu_seconds(process.pid)
    if a_second is None:
        output = subprocess.run([*load, f"-d{seconds}", url], capture_output=True, check=True, text=True).stdout
        return Peer(name, 1e6 * (cpu_seconds(process.pid) - before) / _number(r"(\d+) requests in", output))
    began = time.monotonic()
    for second in range(seconds):
        time.sleep(max(0.0, began + second - time.monotonic()))
        _run([ab, "-q", "-c", "20", "-n", str(a_second), url])
    return Peer(name, 1e6 * (cpu_seconds(process.pid) - before) / (a_second * seconds))


def wrk_cost(url: str, seconds: int) -> Peer:
    """wrk's CPU a request, with a new connection for each."""
    program = find("wrk")
    if program is None:
        return missing("wrk")
    output, cpu = _run([program, "-t1", "-c50", f"-d{seconds}", "-H", "Connection: close", url])
    return Peer("wrk", 1e6 * cpu / _number(r"(\d+) requests in", output))


def ab_cost(url: str, requests: int) -> Peer:
    """ab's CPU a request, with a new connection and handshake for each."""
    program = find("ab")
    if program is None:
        return missing("ab")
    output, cpu = _run([program, "-q", "-c", "50", "-n", str(requests), url])
    return Peer("ab", 1e6 * cpu / _number(r"Complete requests:\s+(\d+)", output))


def check_http_cost(port: int, times: int) -> Peer:
    """The monitoring plugins' check_http: a process a check."""
    program = find("check_http")
    if program is None:
        return missing("check_http")
    cpu = sum(_run([program, "-I", "127.0.0.1", "-p", str(port)])[1] for _ in range(times))
    return Peer("check_http", 1e6 * cpu / times)


def _run(command: Sequence[str]) -> tuple[str, float]:
    """What it printed, and the CPU seconds that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return output, (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def _number(pattern: str, output: str) -> int:
    found = re.search(pattern, output)
    if found is None:
        raise SystemExit(f"not understood: {output}")
    return int(found[1])
