"""From a name to addresses, as this machine resolves names (hosts file, search domains, and all)."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from time import monotonic
from typing import Any, Literal

from pinguin.checks.contract import Context
from pinguin.checks.engine.hosts import HostsFile, Signature
from pinguin.errors import CheckFailed, CheckImpossible

Question = tuple[str, int, int]
IpVersion = Literal["any", "4", "6"]
KEPT_S, MOST_KEPT = 60.0, 4096
MOST_AT_ONCE, MOST_HANGING, HANGS_S = 200, 300, 1.0
"""Look-ups at a time; of names whose last one hung; and seconds after which one does."""
FAMILIES = {"any": socket.AF_UNSPEC, "4": socket.AF_INET, "6": socket.AF_INET6}


def with_port(host: str, port: int) -> str:
    """`example.org:443`, `[::1]:443`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class Address:
    """An address to connect to. `sockaddr` is what the socket module takes for `family`, without the zone's name in it.

    ip: with its zone, where it has one: `fe80::1%eth0`.
    """

    family: int
    sockaddr: tuple[Any, ...]
    ip: str = field(init=False, repr=False, compare=False)
    _words: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Once: what is written out is every check's.
        zone = self.sockaddr[3] if len(self.sockaddr) > 3 else 0
        object.__setattr__(self, "ip", f"{self.sockaddr[0]}%{_zone(zone)}" if zone else self.sockaddr[0])
        object.__setattr__(self, "_words", with_port(self.ip, self.sockaddr[1]))

    def __str__(self) -> str:
        return self._words


class Resolver:
    """The threads that wait for getaddrinfo.

    Own threads, and many: asyncio's default pool has six on two cores, so six names with a dead name server would
    hold up every other check. A name whose look-up hung has others the next time: however many such names there are,
    they hold up each other alone. What the hosts file answers is kept as long as the file is the same, and a minute.
    """

    def __init__(self, hosts: HostsFile | None = None) -> None:
        self._threads = ThreadPoolExecutor(max_workers=MOST_AT_ONCE, thread_name_prefix="resolver")
        self._patient = ThreadPoolExecutor(max_workers=MOST_HANGING, thread_name_prefix="patient-resolver")
        self._hung: set[str] = set()
        self._hosts = hosts or HostsFile()
        self._kept: dict[Question, tuple[Signature | None, float, list[Address]]] = {}

    async def addresses(self, host: str, port: int, family: int, context: Context) -> list[Address]:
        if not self._hosts.answers(host, family):
            return await self._ask(host, port, family, context)
        question, signature = (host, port, family), self._hosts.signature()
        kept = self._kept.get(question)
        if kept is None or kept[0] != signature or monotonic() - kept[1] > KEPT_S:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            kept = self._kept[question] = (signature, monotonic(), await self._ask(host, port, family, context))
        return kept[2]

    async def _ask(self, host: str, port: int, family: int, context: Context) -> list[Address]:
        threads, most = (self._patient, MOST_HANGING) if host in self._hung else (self._threads, MOST_AT_ONCE)
        context.held_up = f"{most} other look-ups wait for name servers that do not answer"  # until a thread begins
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(threads, self._begin, context, host, port, family)
        except asyncio.CancelledError:
            if not context.held_up:  # its thread is still at it
                self._remember(host)
            raise

    def _begin(self, context: Context, host: str, port: int, family: int) -> list[Address]:
        context.held_up = ""
        began = monotonic()
        try:
            return _look_up(host, port, family, 0)
        finally:
            if monotonic() - began >= HANGS_S:
                self._remember(host)
            else:
                self._hung.discard(host)

    def _remember(self, host: str) -> None:
        if len(self._hung) >= MOST_KEPT:
            self._hung.clear()
        self._hung.add(host)

    def close(self) -> None:
        for threads in (self._threads, self._patient):
            threads.shutdown(wait=False, cancel_futures=True)


@lru_cache(maxsize=4096)
def literal(host: str, port: int) -> list[Address] | None:
    """The address that `host` already is, or None where it is a name, or has a zone (`zoned`). Asks nobody."""
    if "%" in host:
        return None
    try:
        return _look_up(host, port, socket.AF_UNSPEC, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None


def zoned(host: str, port: int) -> list[Address]:
    """The address that `fe80::1%eth0` is. Never kept: an interface that comes back has another number.

    Raises CheckImpossible where there is no such interface, CheckFailed where the address takes none.
    """
    ip, _, zone = host.partition("%")
    if zone not in _interfaces():
        raise CheckImpossible("internal", f"this machine has no network interface {zone}, which {host} goes through")
    try:
        return _look_up(host, port, socket.AF_UNSPEC, socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        raise CheckFailed("dns", f"{ip} is not a link-local address (fe80::…): it takes no %{zone}") from None


def _interfaces() -> set[str]:
    """By name and by number."""
    return {str(word) for interface in socket.if_nameindex() for word in interface}


def _zone(number: int) -> str:
    try:
        return socket.if_indextoname(number)
    except OSError:  # gone since, or never there
        return str(number)


async def resolve(host: str, port: int, version: IpVersion, context: Context) -> list[Address]:
    """The addresses of `host` in the system's order, at least one. Raises CheckFailed("dns")."""
    family = FAMILIES[version]
    try:
        return await context.resources.get(Resolver).addresses(host, port, family, context)
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
