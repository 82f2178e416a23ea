"""Echo requests over one socket for each IP version, shared by all the pings of a worker.

A socket for every ping costs ten times as much: each raw socket is handed every reply that the machine receives.
The packets are our own, of a few lines: icmplib builds its own inside its sockets, each of which serves one ping, and
it takes the time of a reply when Python comes round to it, where ours is the kernel's.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from functools import lru_cache
from time import perf_counter

from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.icmp_socket import (
    ANCILLARY,
    LINUX,
    MSG_ERRQUEUE,
    TIME_EXCEEDED,
    TYPES,
    UNREACHABLE,
    arrival,
    open_socket,
    reports,
)
from pinguin.checks.engine.resolve import Address
from pinguin.checks.engine.volley import Volley
from pinguin.errors import CheckFailed, CheckImpossible

PERMISSION = (
    "this machine does not let the worker send pings: allow its group in net.ipv4.ping_group_range "
    "or give the process CAP_NET_RAW"
)
_HEADER = struct.Struct("!BBHHH")
_WHY: dict[int, dict[int, str]] = {
    socket.AF_INET: {
        0: "its network is unreachable", 1: "the host does not answer there", 2: "it takes no ICMP",
        3: "the port is closed", 4: "the packet is too large for the way", 9: "its network is forbidden",
        10: "the host is forbidden", 13: "a firewall forbids it",
    },
    socket.AF_INET6: {
        0: "there is no route", 1: "a firewall forbids it", 3: "the host does not answer there",
        4: "the port is closed", 5: "a firewall forbids the sender", 6: "the route is rejected",
    },
}  # fmt: skip


def icmp_permission() -> str | None:
    """None where pings can be sent; otherwise what to do about it. For `doctor`."""
    try:
        open_socket(socket.AF_INET)[0].close()
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


class EchoSocket:
    """Many pings in flight at once, told apart by sequence number and a token that only this socket knows."""

    def __init__(self, family: int) -> None:
        self._family = family
        self._sock, self._raw = open_socket(family)
        self._request, self._reply = TYPES[family]
        self._four = family == socket.AF_INET
        self._identity = int.from_bytes(os.urandom(2), "big")
        self._token = os.urandom(8)
        self._next = 0
        self._waiting: dict[int, tuple[Address, float, Volley]] = {}  # whom we asked, when, for which check
        self._buffer = memoryview(bytearray(65536))
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock.fileno(), self._drain)

    def close(self) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def request(self, volley: Volley, address: Address, size: int) -> None:
        """Send one packet, of whose end `volley` will hear: its reply, or a router's word that there is no way.

        Raises CheckFailed at once where this machine knows of none. Whoever stops waiting says so: `forget`.
        """
        sequence = self._free_sequence()
        self._waiting[sequence] = address, perf_counter(), volley
        volley.under_way.add(sequence)
        self._send(sequence, address, size)

    def forget(self, volley: Volley) -> None:
        """What comes for it from now on is nobody's."""
        while volley.under_way:
            del self._waiting[volley.under_way.pop()]

    def _send(self, sequence: int, address: Address, size: int) -> None:
        packet = self._packet(sequence, size)
        try:
            try:
                self._sock.sendto(packet, address.sockaddr)
            except OSError as error:
                if self._raw or isinstance(error, BlockingIOError):
                    raise
                # With IP_RECVERR an earlier packet's error is told to whoever comes next: take it away, try again.
                self._drain_errors()
                self._sock.sendto(packet, address.sockaddr)
        except BlockingIOError:
            return  # the system's buffer is full: the packet is lost, as it may be anywhere on its way
        except OSError as error:
            raise failure_of(error, address.ip, "0 ms") from None

    def _packet(self, sequence: int, size: int) -> bytes:
        payload, total = _payload(self._token, size)
        # Over IPv6 the kernel fills in the checksum, which covers addresses that only it knows.
        proof = folded(total + (self._request << 8) + self._identity + sequence) if self._four else 0
        return _HEADER.pack(self._request, 0, proof, self._identity, sequence) + payload

    def _free_sequence(self) -> int:
        if len(self._waiting) >= 65536:
            raise CheckImpossible("internal", "65536 pings are in flight already")
        while self._next in self._waiting:
            self._next = (self._next + 1) & 0xFFFF
        sequence, self._next = self._next, (self._next + 1) & 0xFFFF
        return sequence

    def _drain(self) -> None:
        heard = False
        while True:
            try:
                size, ancillary, _, source = self._sock.recvmsg_into((self._buffer,), ANCILLARY)
            except BlockingIOError:
                break
            except OSError:  # an error about some packet: its queue says about which one
                if self._raw or not self._drain_errors():
                    break
                continue
            heard = True
            self._take(bytes(self._buffer[:size]), source[0].partition("%")[0], arrival(ancillary))
        if not self._raw and not heard:
            self._drain_errors()

    def _drain_errors(self) -> bool:
        """Take in what routers said, where the kernel keeps that apart (IP_RECVERR). Whether there was anything."""
        found = False
        while LINUX:
            try:
                packet, ancillary, _, target = self._sock.recvmsg(65536, ANCILLARY, MSG_ERRQUEUE)
            except OSError:
                return found
            found = True
            for report in reports(ancillary, self._family):
                self._note(packet, str(target[0]).partition("%")[0], report.reporter, report.kind, report.code)
        return found

    def _take(self, packet: bytes, source: str, arrived: float) -> None:
        if self._four and packet and packet[0] >> 4 == 4:
            packet = packet[(packet[0] & 0x0F) * 4 :]  # behind the IP header, which Linux' unprivileged kind lacks
        if len(packet) < _HEADER.size + len(self._token):
            return
        kind, code, _, identity, sequence = _HEADER.unpack_from(packet)
        if kind in (UNREACHABLE[self._family], TIME_EXCEEDED[self._family]):
            self._take_report(packet[_HEADER.size :], source, kind, code)
            return
        if kind != self._reply or (self._raw and identity != self._identity):
            return
        waiting = self._waiting.get(sequence)
        if waiting and waiting[0].sockaddr[0] == source and packet.startswith(self._token, _HEADER.size):
            _, sent, volley = self._waiting.pop(sequence)
            volley.answered(sequence, max((arrived - sent) * 1000, 0.001))

    def _take_report(self, inner: bytes, reporter: str, kind: int, code: int) -> None:
        """inner: the beginning of the packet that the report is about, with its IP header."""
        if self._four:
            if len(inner) < 20:
                return
            target, packet = socket.inet_ntop(self._family, inner[16:20]), inner[(inner[0] & 0x0F) * 4 :]
        else:
            if len(inner) < 40:
                return
            target, packet = socket.inet_ntop(self._family, inner[24:40]), inner[40:]
        self._note(packet, target, reporter, kind, code)

    def _note(self, packet: bytes, target: str, reporter: str, kind: int, code: int) -> None:
        """`packet`, one of ours to `target`, did not arrive, as `reporter` says."""
        if len(packet) < _HEADER.size:
            return
        asked, _, _, identity, sequence = _HEADER.unpack_from(packet)
        if asked != self._request or (self._raw and identity != self._identity):
            return
        token = packet[_HEADER.size : _HEADER.size + len(self._token)]  # routers need not return so much
        waiting = self._waiting.get(sequence)
        if not waiting or waiting[0].sockaddr[0] != target or not self._token.startswith(token):
            return
        if kind == TIME_EXCEEDED[self._family]:
            self._refuse(sequence, reporter, "the way is too long, or goes in a circle")
        elif kind == UNREACHABLE[self._family]:
            self._refuse(sequence, reporter, _WHY[self._family].get(code, f"code {code}"))

    def _refuse(self, sequence: int, reporter: str, why: str) -> None:
        address, _, volley = self._waiting.pop(sequence)
        volley.refused(sequence, CheckFailed("unreachable", f"{address.ip} is not reachable: {why}, says {reporter}"))


@lru_cache(maxsize=16)
def _payload(token: bytes, size: int) -> tuple[bytes, int]:
    """What follows the header, and the sum of its words."""
    payload = token + bytes(max(size - len(token), 0))
    return payload, _words(payload)


def checksum(packet: bytes) -> int:
    """RFC 1071."""
    return folded(_words(packet))


def folded(total: int) -> int:
    """The checksum of words that add up to `total`."""
    total = (total >> 16) + (total & 0xFFFF)
    total += total >> 16
    return ~total & 0xFFFF


def _words(packet: bytes) -> int:
    if len(packet) % 2:
        packet += b"\x00"
    return sum(struct.unpack(f"!{len(packet) // 2}H", packet))
