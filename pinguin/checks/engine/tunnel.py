"""Through a proxy to the target: HTTP's CONNECT and SOCKS5 (RFC 1928, 1929), on a wire that leads to the proxy."""

from __future__ import annotations

import errno
import ipaddress
import struct
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Literal

from pinguin.checks.engine.resolve import with_port
from pinguin.checks.engine.stopwatch import Stopwatch
from pinguin.checks.engine.wire import Wire
from pinguin.errors import CheckFailed

MOST_HEAD = 16384


@dataclass(frozen=True, slots=True)
class Proxy:
    scheme: Literal["http", "socks5"]
    host: str
    port: int
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def authorization(self) -> bytes:
        """The value of Proxy-Authorization, or b"" where there is none."""
        if not self.username:
            return b""
        return b"Basic " + b64encode(f"{self.username}:{self.password}".encode())

    def __str__(self) -> str:
        return f"{self.scheme}://{with_port(self.host, self.port)}"


async def tunnel(wire: Wire, proxy: Proxy, host: str, port: int, watch: Stopwatch) -> None:
    """Have the proxy connect `wire` to `host`, whose name it looks up itself. Raises CheckFailed, OSError."""
    watch.begin(f"waiting for the proxy to connect to {host}")
    if proxy.scheme == "http":
        await _connect(wire, proxy, host, port)
    else:
        await _socks(wire, proxy, host, port)
    watch.done("connect")


async def _connect(wire: Wire, proxy: Proxy, host: str, port: int) -> None:
    target = with_port(host.partition("%")[0], port)  # a zone is this machine's own (RFC 6874, 4)
    lines = [f"CONNECT {target} HTTP/1.1".encode(), b"Host: " + target.encode()]
    if proxy.authorization:
        lines.append(b"Proxy-Authorization: " + proxy.authorization)
    await wire.send(b"\r\n".join(lines) + b"\r\n\r\n")
    head = await _head(wire, proxy)
    version, _, rest = head.partition(b"\r\n")[0].partition(b" ")
    status = rest[:3].decode("latin-1")
    if not version.startswith(b"HTTP/1.") or not status.isdigit():
        raise CheckFailed("protocol", f"the proxy {proxy} does not answer in HTTP")
    if not status.startswith("2"):
        raise CheckFailed(
            "unreachable" if status.startswith("5") else "status",
            f"the proxy {proxy} does not connect to {target}: it answered {status}",
            evidence={"proxy_status": int(status)},
        )


async def _head(wire: Wire, proxy: Proxy) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        data = await wire.receive(4096)
        if not data:
            raise CheckFailed("reset", f"the proxy {proxy} closed the connection without an answer")
        head += data
        if len(head) > MOST_HEAD:
            raise CheckFailed("too_large", f"the answer of the proxy {proxy} is larger than {MOST_HEAD // 1024} KiB")
    head, _, rest = head.partition(b"\r\n\r\n")
    if rest:  # TLS begins with us: nothing can be there yet
        raise CheckFailed("protocol", f"the proxy {proxy} sends more than its answer")
    return head


_REFUSALS = {
    1: ("unreachable", "a general failure"),
    2: ("unreachable", "its rules forbid it"),
    3: ("unreachable", "there is no way to the network"),
    4: ("unreachable", "the host is not reachable, or has no address"),
    5: ("refused", "the connection was refused"),
    6: ("timeout", "the packets did not arrive in time"),
    7: ("protocol", "it does not know CONNECT"),
    8: ("protocol", "it does not know this kind of address"),
}


async def _socks(wire: Wire, proxy: Proxy, host: str, port: int) -> None:
    methods = b"\x00\x02" if proxy.username else b"\x00"
    await wire.send(bytes([5, len(methods)]) + methods)
    version, method = await _exactly(wire, 2)
    if version != 5:
        raise CheckFailed("protocol", f"the proxy {proxy} does not speak SOCKS5")
    if method == 2 and proxy.username:
        await _log_in(wire, proxy)
    elif method != 0:
        raise CheckFailed("status", f"the proxy {proxy} wants another user and password, or some at all")
    await wire.send(b"\x05\x01\x00" + _packed(host) + struct.pack("!H", port))
    version, code, _, kind = await _exactly(wire, 4)
    if version != 5 or (code == 0 and kind not in (1, 3, 4)):
        raise CheckFailed("protocol", f"the proxy {proxy} does not answer in SOCKS5")
    if code:
        reason, words = _REFUSALS.get(code, ("unreachable", f"code {code}"))
        raise CheckFailed(reason, f"the proxy {proxy} does not connect to {with_port(host, port)}: {words}")
    await _exactly(wire, {1: 4, 4: 16}.get(kind) or (await _exactly(wire, 1))[0])
    await _exactly(wire, 2)


async def _log_in(wire: Wire, proxy: Proxy) -> None:
    user, password = proxy.username.encode(), proxy.password.encode()
    await wire.send(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
    if (await _exactly(wire, 2))[1]:
        raise CheckFailed("status", f"the proxy {proxy} does not accept the user and password")


def _packed(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii")
        return bytes([3, len(name)]) + name
    return bytes([1 if address.version == 4 else 4]) + address.packed


async def _exactly(wire: Wire, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = await wire.receive(size - len(data))
        if not part:
            raise ConnectionResetError(errno.ECONNRESET, "closed early")
        data += part
    return data
