"""What people write in some options, read: ranges of statuses, a proxy, a form."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from pinguin.checks.engine.tunnel import Proxy
from pinguin.checks.verdict import wrong_host

_PROXY = re.compile(r"(http|socks5)://(?:\[([^\[\]]*:[^\[\]]*)\]|([^\[\]:/]+))(?::([0-9]{1,5}))?/?")
_PROXY_PORTS = {"http": 3128, "socks5": 1080}


def accepts(ranges: list[str], status: int) -> bool:
    return any(low <= status <= high for low, high in map(status_range, ranges))


@lru_cache(maxsize=1024)
def status_range(words: str) -> tuple[int, int]:
    """`404` or `200-299`. Raises ValueError."""
    low, dash, high = (part.strip() for part in words.partition("-"))
    first, last = int(low), int(high if dash else low)
    if not 100 <= first <= last <= 999:
        raise ValueError
    return first, last


def parse_proxy(url: str, username: str = "", password: str = "") -> Proxy:
    """Raises ValueError."""
    match = _PROXY.fullmatch(url)
    if not match:
        raise ValueError
    host = match[3] or match[2].replace("%25", "%", 1)  # RFC 6874, 2
    if wrong_host(host):
        raise ValueError
    scheme: Literal["http", "socks5"] = "http" if match[1] == "http" else "socks5"
    port = int(match[4] or _PROXY_PORTS[scheme])
    if not 1 <= port <= 65535:
        raise ValueError
    return Proxy(scheme, host, port, username, password)


def form_pairs(body: str) -> list[tuple[str, str]]:
    """One `name=value` a line. Raises ValueError."""
    pairs = []
    for line in body.splitlines():
        name, equals, value = line.partition("=")
        if line.strip():
            if not equals or not name.strip():
                raise ValueError
            pairs.append((name.strip(), value.strip()))
    return pairs
