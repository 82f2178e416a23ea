"""Name servers as people write them: `host`, `host:port`, `::1`, `[::1]:port`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address

from pinguin.checks.verdict import wrong_host

_WRITTEN = re.compile(r"\[([^\[\]]*:[^\[\]]*)\](?::([0-9]{1,5}))?|([^\[\]:]+)(?::([0-9]{1,5}))?")


def host_and_port(server: str, default: int) -> tuple[str, int]:
    """Raises ValueError."""
    if server.count(":") > 1 and "[" not in server:
        return server, default
    match = _WRITTEN.fullmatch(server)
    if not match:
        raise ValueError
    port = int(match[2] or match[4] or default)
    if not 1 <= port <= 65535:
        raise ValueError
    return match[1] or match[3], port


def wrong_server(server: str) -> str | None:
    """What is wrong with it, or None."""
    try:
        host, _ = host_and_port(server, 53)
    except ValueError:
        return "must be host or host:port, or [address]:port for IPv6, with a port from 1 to 65535"
    return wrong_host(host)


def wrong_others(others: Sequence[str], asked: str) -> str | None:
    """What is wrong with the servers to compare with the one that is `asked`; "" for this machine's own."""
    for server in others:
        if wrong := wrong_server(server):
            return f"{server[:60]!r} {wrong}"
    known = {_plain(asked)} if asked and not wrong_server(asked) else set()
    for server in others:
        if _plain(server) in known:
            first = asked and _plain(server) == _plain(asked)
            return f"{server[:60]} is {'the name server that is asked anyway' if first else 'there twice'}; name others"
        known.add(_plain(server))
    return None


def _plain(server: str) -> tuple[str, int]:
    """The same for all the ways to write one."""
    host, port = host_and_port(server, 53)
    try:
        return str(ip_address(host)), port
    except ValueError:
        return host.lower().rstrip("."), port
