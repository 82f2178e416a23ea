"""PINGUIN_REDIS_URL, parsed strictly. What is wrong is said without showing the address: it may hold a password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pinguin.errors import SettingsError

FORMS = (
    "redis://[[user]:password@]host[:port][/db]",
    "rediss://… for TLS",
    "unix:///path[?db=0]",
    "redis+sentinel://[[user]:password@]host[:port],host[:port]/master[/db]",
    "rediss+sentinel://… for TLS",
)
TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
"""Options that name a file, with the names that redis-py's own addresses have."""
OPTIONS = {
    "redis": (),
    "rediss": TLS_FILES,
    "unix": ("db", "username", "password"),
    "redis+sentinel": ("sentinel_username", "sentinel_password"),
    "rediss+sentinel": ("sentinel_username", "sentinel_password", *TLS_FILES),
}


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where Redis is. nodes: the server, or with `master` the sentinels that know it; none with `path`.

    options: TLS files and the sentinels' own credentials, as in `OPTIONS`.
    """

    nodes: tuple[tuple[str, int], ...]
    path: str | None
    master: str | None
    tls: bool
    db: int
    username: str | None
    password: str | None
    options: dict[str, str]


def parse(url: str) -> RedisAddress:
    """Raises `SettingsError`."""
    # urlsplit of newer Pythons takes no list of hosts with an address in brackets.
    scheme, slashes, rest = url.partition("://")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    try:
        parts = urlsplit(scheme + slashes + rest.removeprefix(authority))._replace(netloc=authority)
    except ValueError:
        raise _bad("is no address") from None
    if parts.scheme not in OPTIONS:
        raise _bad("must begin with redis://, rediss://, unix://, redis+sentinel:// or rediss+sentinel://")
    if parts.fragment:
        raise _bad("has a #: in a password it is written as %23")
    options = _options(parts)
    if parts.scheme == "unix":
        return _socket(parts, options)
    username, password, nodes = _authority(parts)
    path = [unquote(piece) for piece in parts.path.strip("/").split("/") if piece]
    master = None
    if parts.scheme.endswith("+sentinel"):
        if not path:
            raise _bad("lacks the master's name after the sentinels: redis+sentinel://host:26379/mymaster")
        master = path.pop(0)
    elif len(nodes) > 1:
        raise _bad("names several hosts: only redis+sentinel:// does")
    if len(path) > 1:
        raise _bad("has more behind the host than a database number")
    db = _number(path[0]) if path else 0
    return RedisAddress(nodes, None, master, parts.scheme.startswith("rediss"), db, username, password, options)


def _options(parts: SplitResult) -> dict[str, str]:
    known = OPTIONS[parts.scheme]
    options: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            raise _bad(f"has an option ?{name}= that {parts.scheme}:// does not know; it knows {_listed(known)}")
        if name in options:
            raise _bad(f"has the option ?{name}= twice")
        if name in TLS_FILES and not Path(value).is_file():
            raise _bad(f"names a file in ?{name}= that is not there")
        options[name] = value
    return options


def _socket(parts: SplitResult, options: dict[str, str]) -> RedisAddress:
    if parts.netloc or not parts.path.startswith("/"):
        raise _bad("must name a socket by its whole path: unix:///run/redis.sock")
    db = _number(options.pop("db", "0"))
    username, password = options.pop("username", None), options.pop("password", None)
    return RedisAddress((), unquote(parts.path), None, False, db, username, password, {})


def _authority(parts: SplitResult) -> tuple[str | None, str | None, tuple[tuple[str, int], ...]]:
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    default = 26379 if parts.scheme.endswith("+sentinel") else 6379
    nodes = tuple(_node(text, default) for text in hosts.split(","))
    return unquote(user) or None, unquote(password) or None, nodes


def _node(text: str, default: int) -> tuple[str, int]:
    try:
        node = urlsplit(f"//{text}")
        host, port = node.hostname, node.port
    except ValueError:
        raise _bad("has a bad host or port") from None
    if not host:
        raise _bad("lacks a host")
    return host, default if port is None else port


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise _bad("must end with a database number, such as /0")
    return int(text)


def _listed(known: tuple[str, ...]) -> str:
    return ", ".join(known) or "none"


def _bad(what: str) -> SettingsError:
    return SettingsError(f"PINGUIN_REDIS_URL {what}.\nIt is one of: {'; '.join(FORMS)}.")
