"""ICMP sockets as the system opens them, and what its kernel tells beside a packet: when it came, what is wrong."""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Iterator
from time import perf_counter
from typing import Any, NamedTuple

Ancillary = list[tuple[int, int, bytes]]

TYPES: dict[int, tuple[int, int]] = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}
_PROTOCOLS: dict[int, int] = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
UNREACHABLE: dict[int, int] = {socket.AF_INET: 3, socket.AF_INET6: 1}
TIME_EXCEEDED: dict[int, int] = {socket.AF_INET: 11, socket.AF_INET6: 3}

# What the socket module has no names for, all of Linux.
_SOL_RAW, _ICMP_FILTER = 255, 1  # linux/icmp.h: a mask of the types that a raw socket does not want
_ICMP6_FILTER = 1  # linux/icmpv6.h: the same, of 256 bits
_RECVERR: dict[int, tuple[int, int]] = {socket.AF_INET: (0, 11), socket.AF_INET6: (41, 25)}  # IP_RECVERR, IPV6_RECVERR
MSG_ERRQUEUE = 0x2000
_EXTENDED_ERROR = struct.Struct("=IBBBBII")  # linux/errqueue.h: errno, origin, type, code, …
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
ANCILLARY = 512
"""Bytes of it that a packet may have."""
LINUX = sys.platform == "linux"


def arrival(ancillary: Ancillary) -> float:
    """When the kernel took the packet in, on perf_counter's clock: our own loop may come round to it late."""
    now = perf_counter()
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            ago = time.time() - (seconds + nanoseconds / 1e9)
            return now - ago if 0 <= ago < 60 else now  # a clock that was set in between says nothing
    return now


class Report(NamedTuple):
    """What a router said of a packet: its address, and the type and code of its ICMP message."""

    reporter: str
    kind: int
    code: int


def reports(ancillary: Ancillary, family: int) -> Iterator[Report]:
    """What came with a packet from the queue of errors."""
    for _, _, data in ancillary:
        if len(data) >= _EXTENDED_ERROR.size:
            _, origin, kind, code, _, _, _ = _EXTENDED_ERROR.unpack_from(data)
            if origin in (2, 3):  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6: a router's word
                yield Report(_address_of(data[_EXTENDED_ERROR.size :], family), kind, code)


def _address_of(data: bytes, family: int) -> str:
    """The address in a sockaddr_in or sockaddr_in6, or words where there is none."""
    at, size = (4, 4) if family == socket.AF_INET else (8, 16)
    raw = data[at : at + size]
    return socket.inet_ntop(family, raw) if len(raw) == size and any(raw) else "this machine"


def open_socket(family: int) -> tuple[socket.socket, bool]:
    """An ICMP socket, and whether it is a raw one. The unprivileged kind first: the kernel hands it its own replies."""
    protocol = _PROTOCOLS[family]
    try:
        sock, raw = socket.socket(family, socket.SOCK_DGRAM, protocol), False
    except PermissionError:
        sock, raw = socket.socket(family, socket.SOCK_RAW, protocol), True
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    if LINUX:
        _prepare(sock, family, raw)
    return sock, raw


def _prepare(sock: Any, family: int, raw: bool) -> None:
    """Times from the kernel, and of all that it hands out only what is for us: replies, and routers' reports."""
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    wanted = (TYPES[family][1], UNREACHABLE[family], TIME_EXCEEDED[family])
    if not raw:
        sock.setsockopt(*_RECVERR[family], 1)
    elif family == socket.AF_INET:
        mask = 0xFFFFFFFF & ~sum(1 << kind for kind in wanted)
        sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", mask))
    else:
        words = [0xFFFFFFFF] * 8
        for kind in wanted:
            words[kind >> 5] &= ~(1 << (kind & 31))
        sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *words))
