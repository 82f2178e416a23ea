"""Echo requests over one socket for each IP version, shared by all the pings of a worker.

A socket for every ping costs ten times as much: each raw socket is handed every reply that the machine receives.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from dataclasses import dataclass
from time import perf_counter

from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.resolve import Address
from pinguin.errors import CheckImpossible

PERMISSION = (
    "this machine does not let the worker send pings: allow its group in net.ipv4.ping_group_range "
    "or give the process CAP_NET_RAW"
)
_HEADER = struct.Struct("!BBHHH")
_TYPES: dict[int, tuple[int, int]] = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}
_PROTOCOLS: dict[int, int] = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
_SOL_RAW, _ICMP_FILTER = 255, 1  # linux/icmp.h: a mask of the types that a raw socket does not want


def icmp_permission() -> str | None:
    """None where pings can be sent; otherwise what to do about it. For `doctor`."""
    try:
        _open(socket.AF_INET)[0].close()
    except PermissionError:
        return PERMISSION
    except OSError as error:
        return f"this machine opens no ICMP socket ({os.strerror(error.errno or 0)})"
    return None


class Pinger:
    """The ICMP sockets of a worker, opened at first use."""

    def __init__(self) -> None:
        self._sockets: dict[int, EchoSocket] = {}

    def of(self, family: int) -> EchoSocket:
        """Raises CheckImpossible("permission")."""
        if family not in self._sockets:
            try:
                self._sockets[family] = EchoSocket(family)
            except PermissionError:
                raise CheckImpossible("permission", PERMISSION) from None
            except OSError as error:
                raise CheckImpossible("internal", f"no ICMP socket: {os.strerror(error.errno or 0)}") from None
        return self._sockets[family]

    def close(self) -> None:
        while self._sockets:
            self._sockets.popitem()[1].close()


@dataclass(slots=True)
class _Waiting:
    source: str
    sent: float
    trip: asyncio.Future[float]

    def resolve(self, arrived: float) -> None:
        if not self.trip.done():
            self.trip.set_result(max((arrived - self.sent) * 1000, 0.001))


class EchoSocket:
    """Many pings in flight at once, told apart by sequence number and a token that only this socket knows."""

    def __init__(self, family: int) -> None:
        self._sock, self._raw = _open(family)
        self._request, self._reply = _TYPES[family]
        self._four = family == socket.AF_INET
        self._identity = int.from_bytes(os.urandom(2), "big")
        self._token = os.urandom(8)
        self._next = 0
        self._waiting: dict[int, _Waiting] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock.fileno(), self._drain)

    def close(self) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def request(self, address: Address, size: int) -> asyncio.Future[float]:
        """Send one packet. The future gets the milliseconds until its reply; cancel it to stop waiting.

        Raises CheckFailed where there is no way to the address.
        """
        sequence = self._free_sequence()
        self._send(sequence, address, size)
        trip: asyncio.Future[float] = self._loop.create_future()
        self._waiting[sequence] = _Waiting(address.ip.partition("%")[0], perf_counter(), trip)
        trip.add_done_callback(lambda _: self._waiting.pop(sequence, None))
        return trip

    def _send(self, sequence: int, address: Address, size: int) -> None:
        try:
            self._sock.sendto(self._packet(sequence, size), address.sockaddr)
        except BlockingIOError:
            return  # the system's buffer is full: the packet is lost, as it may be anywhere on its way
        except OSError as error:
            raise failure_of(error, address.ip, "0 ms") from None

    def _packet(self, sequence: int, size: int) -> bytes:
        payload = self._token + bytes(max(size - len(self._token), 0))
        # Over IPv6 the kernel fills in the checksum, which covers addresses that only it knows.
        proof = checksum(_HEADER.pack(self._request, 0, 0, self._identity, sequence) + payload) if self._four else 0
        return _HEADER.pack(self._request, 0, proof, self._identity, sequence) + payload

    def _free_sequence(self) -> int:
        if len(self._waiting) >= 65536:
            raise CheckImpossible("internal", "65536 pings are in flight already")
        while self._next in self._waiting:
            self._next = (self._next + 1) & 0xFFFF
        sequence, self._next = self._next, (self._next + 1) & 0xFFFF
        return sequence

    def _drain(self) -> None:
        while True:
            try:
                packet, source = self._sock.recvfrom(65536)
            except OSError:  # nothing more to read; or an error about a packet that is lost anyway
                return
            self._take(packet, source[0].partition("%")[0], perf_counter())

    def _take(self, packet: bytes, source: str, arrived: float) -> None:
        if self._four and packet and packet[0] >> 4 == 4:
            packet = packet[(packet[0] & 0x0F) * 4 :]  # behind the IP header, which Linux' unprivileged kind lacks
        if len(packet) < _HEADER.size + len(self._token):
            return
        kind, _, _, identity, sequence = _HEADER.unpack_from(packet)
        if kind != self._reply or (self._raw and identity != self._identity):
            return
        waiting = self._waiting.get(sequence)
        if waiting and waiting.source == source and packet.startswith(self._token, _HEADER.size):
            waiting.resolve(arrived)


def _open(family: int) -> tuple[socket.socket, bool]:
    """An ICMP socket, and whether it is a raw one. The unprivileged kind first: the kernel hands it its own replies."""
    protocol = _PROTOCOLS[family]
    try:
        sock, raw = socket.socket(family, socket.SOCK_DGRAM, protocol), False
    except PermissionError:
        sock, raw = socket.socket(family, socket.SOCK_RAW, protocol), True
        if family == socket.AF_INET and sys.platform == "linux":
            sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", ~1 & 0xFFFFFFFF))
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    return sock, raw


def checksum(packet: bytes) -> int:
    """RFC 1071."""
    if len(packet) % 2:
        packet += b"\x00"
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    total += total >> 16
    return ~total & 0xFFFF
