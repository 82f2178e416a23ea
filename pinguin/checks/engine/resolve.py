"""From a name to addresses, as this machine resolves names (hosts file, search domains, and all)."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from time import monotonic
from typing import Any, Literal

from pinguin.checks.contract import Resources
from pinguin.checks.engine.hosts import HostsFile, Signature
from pinguin.errors import CheckFailed

Question = tuple[str, int, int]
IpVersion = Literal["any", "4", "6"]
KEPT_S, MOST_KEPT = 60.0, 4096
FAMILIES = {"any": socket.AF_UNSPEC, "4": socket.AF_INET, "6": socket.AF_INET6}


def with_port(host: str, port: int) -> str:
    """`example.org:443`, `[::1]:443`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class Address:
    """An address to connect to. `sockaddr` is what the socket module takes for `family`."""

    family: int
    sockaddr: tuple[Any, ...]
    _words: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Once: what is written out is every check's.
        object.__setattr__(self, "_words", with_port(self.ip, self.sockaddr[1]))

    @property
    def ip(self) -> str:
        return str(self.sockaddr[0])

    def __str__(self) -> str:
        return self._words


class Resolver:
    """The threads that wait for getaddrinfo.

    Own threads, and many: asyncio's default pool has six on two cores, so six names with a dead name server would
    hold up every other check. What the hosts file answers is kept for as long as the file is the same, and a minute.
    """

    def __init__(self, hosts: HostsFile | None = None) -> None:
        self._threads = ThreadPoolExecutor(max_workers=100, thread_name_prefix="resolver")
        self._hosts = hosts or HostsFile()
        self._kept: dict[Question, tuple[Signature | None, float, list[Address]]] = {}

    async def addresses(self, host: str, port: int, family: int) -> list[Address]:
        if not self._hosts.answers(host, family):
            return await self._ask(host, port, family)
        question, signature = (host, port, family), self._hosts.signature()
        kept = self._kept.get(question)
        if kept is None or kept[0] != signature or monotonic() - kept[1] > KEPT_S:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            kept = self._kept[question] = (signature, monotonic(), await self._ask(host, port, family))
        return kept[2]

    async def _ask(self, host: str, port: int, family: int) -> list[Address]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _look_up, host, port, family, 0)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


@lru_cache(maxsize=4096)
def literal(host: str, port: int) -> list[Address] | None:
    """The address that `host` already is, or None where it is a name. Asks nobody."""
    try:
        return _look_up(host, port, socket.AF_UNSPEC, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None


async def resolve(host: str, port: int, version: IpVersion, resources: Resources) -> list[Address]:
    """The addresses of `host` in the system's order, at least one. Raises CheckFailed("dns")."""
    family = FAMILIES[version]
    try:
        return await resources.get(Resolver).addresses(host, port, family)
    except socket.gaierror as error:
        raise CheckFailed("dns", _why(host, version, error.errno)) from None
    except UnicodeError:
        raise CheckFailed("dns", f"{host} is not a valid name") from None


def _look_up(host: str, port: int, family: int, flags: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, flags)
    return [Address(item[0], item[4]) for item in found]


def _why(host: str, version: IpVersion, code: int | None) -> str:
    kind = "" if version == "any" else f" to an IPv{version} address"
    if code == socket.EAI_AGAIN:
        return f"the name server gave no answer for {host} (a temporary failure)"
    if code == socket.EAI_ADDRFAMILY:
        return f"{host} has no IPv{version} address"
    return f"{host} does not resolve{kind}"
