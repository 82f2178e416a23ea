"""One DNS question to one server, over UDP or TCP, and the answer that belongs to it."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import time
from collections.abc import Awaitable, Callable

import dns.exception
import dns.flags
import dns.message
import dns.resolver

from pinguin.checks.contract import Resources
from pinguin.checks.engine.resolve import Address, literal, zoned
from pinguin.checks.engine.wire import Wire
from pinguin.errors import CheckFailed, CheckImpossible

Secure = Callable[[Wire], Awaitable[object]]

AGAIN = (1.0, 2.0, 4.0)
"""Seconds after which a question that got no answer is sent again: a lost datagram is no lost server."""


class Truncated(Exception):
    """The answer did not fit into a datagram."""


class NotDns(Exception):
    """What the server sent over TCP is no answer to the question."""


async def over_udp(
    address: Address,
    question: dns.message.QueryMessage,
    resources: Resources,
    strange: Callable[[], None] | None = None,
) -> dns.message.Message:
    """The answer to `question`; waits until it is cancelled. Raises OSError, Truncated.

    strange: called for each datagram that is no answer to the question.
    """
    # A connected socket takes datagrams from this server alone, and hears when its port is closed.
    wire = await Wire.open(address, resources, socket.SOCK_DGRAM)
    try:
        for wait in (*AGAIN, None):
            await wire.send(question.to_wire())
            try:
                async with asyncio.timeout(wait):
                    return await _matching(wire, question, strange)
            except TimeoutError:
                continue
        raise AssertionError("the last wait has no end")
    finally:
        wire.close()


async def over_tcp(
    address: Address, question: dns.message.QueryMessage, resources: Resources, secure: Secure | None = None
) -> dns.message.Message:
    """The same over TCP; secure: brings TLS to the connection first.

    Raises OSError (ConnectionResetError where the server closes early), NotDns.
    """
    wire = await Wire.open(address, resources)
    try:
        if secure:
            await secure(wire)
        packed = question.to_wire()
        await wire.send(struct.pack("!H", len(packed)) + packed)
        (size,) = struct.unpack("!H", await _exactly(wire, 2))
        answer = parsed(await _exactly(wire, size), question)
    finally:
        wire.close()
    if answer is None:
        raise NotDns
    return answer


async def _matching(
    wire: Wire, question: dns.message.QueryMessage, strange: Callable[[], None] | None
) -> dns.message.Message:
    while True:
        answer = parsed(await wire.receive(65535), question)
        if answer is None:
            if strange:
                strange()
            await asyncio.sleep(0)  # a server that floods us must not keep our clock from running
            continue  # a late, a broken or a forged datagram: the true answer may still come
        if answer.flags & dns.flags.TC:
            raise Truncated
        return answer


def parsed(data: bytes, question: dns.message.QueryMessage) -> dns.message.Message | None:
    """The message in `data`, if it answers `question`: the same id, and the same name and type asked for."""
    try:
        answer = dns.message.from_wire(data, ignore_trailing=True, raise_on_truncation=False)
    except dns.exception.DNSException:
        _raise_if_cut_off(data, question)
        return None
    return answer if question.is_response(answer) else None


def _raise_if_cut_off(data: bytes, question: dns.message.QueryMessage) -> None:
    # Some servers cut a truncated answer in the middle of a record. Its header still says that TCP is the way.
    if len(data) >= 12 and data[:2] == question.id.to_bytes(2, "big") and data[2] & 0x82 == 0x82:
        raise Truncated


async def _exactly(wire: Wire, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = await wire.receive(size - len(data))
        if not part:
            raise ConnectionResetError(errno.ECONNRESET, "closed early")
        data += part
    return bytes(data)


def _at(name: str) -> list[Address]:
    try:
        return zoned(name, 53) if "%" in name else literal(name, 53) or []
    except (CheckFailed, CheckImpossible):  # an interface that is not there now
        return []


class SystemServers:
    """The name servers of this machine, read anew now and then: a laptop changes networks, a container its DNS."""

    KEPT = 30.0

    def __init__(self) -> None:
        self._read_at = 0.0
        self._servers: list[Address] = []

    def addresses(self) -> list[Address]:
        """At least one. Raises CheckImpossible."""
        now = time.monotonic()
        if not self._servers or now - self._read_at > self.KEPT:
            self._servers, self._read_at = _configured(), now
        return self._servers

    def close(self) -> None:
        self._servers = []


def _configured() -> list[Address]:
    try:
        names = dns.resolver.Resolver().nameservers
    except dns.resolver.NoResolverConfiguration:
        names = []
    found = [address for name in names for address in _at(str(name))]
    if not found:
        raise CheckImpossible("internal", "this machine has no name server configured; name one in the monitor")
    return found
