"""PINGUIN_REDIS_URL: every form, and every mistake named without its password."""

from __future__ import annotations

import pytest

from pinguin.errors import SettingsError
from pinguin.redis_url import RedisAddress, parse


def address(**given: object) -> RedisAddress:
    values: dict[str, object] = {
        "nodes": (), "path": None, "master": None, "tls": False, "db": 0, "username": None, "password": None,
        "options": {},
    }  # fmt: skip
    return RedisAddress(**(values | given))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://r", address(nodes=(("r", 6379),))),
        ("redis://r:7000/3", address(nodes=(("r", 7000),), db=3)),
        ("redis://r/", address(nodes=(("r", 6379),))),
        ("redis://[::1]:7000/0", address(nodes=(("::1", 7000),))),
        ("redis://:p%40ss%3A@r", address(nodes=(("r", 6379),), password="p@ss:")),
        ("redis://u:p@r", address(nodes=(("r", 6379),), username="u", password="p")),
        (
            "rediss://r/1?ssl_ca_certs=%2Fdev%2F..%2Fetc%2Fhosts",
            address(nodes=(("r", 6379),), tls=True, db=1, options={"ssl_ca_certs": "/dev/../etc/hosts"}),
        ),
        ("unix:///run/a%20b.sock", address(path="/run/a b.sock")),
        ("unix:///r.sock?db=2&password=p", address(path="/r.sock", db=2, password="p")),
        (
            "redis+sentinel://:p@a:1,b,[::1]:3/mymaster/4",
            address(nodes=(("a", 1), ("b", 26379), ("::1", 3)), master="mymaster", db=4, password="p"),
        ),
        (
            "rediss+sentinel://a/m?sentinel_password=s",
            address(nodes=(("a", 26379),), master="m", tls=True, options={"sentinel_password": "s"}),
        ),
    ],
)
def test_every_form(url: str, expected: RedisAddress) -> None:
    assert parse(url) == expected


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "must begin with redis://"),
        ("http://:sesame@r", "must begin with redis://"),
        ("redis:sesame", "lacks a host"),
        ("redis://:sesame@", "lacks a host"),
        ("redis://:sesame@r:many", "bad host or port"),
        ("redis://:sesame@r:70000", "bad host or port"),
        ("redis://:sesame@[::1", "has a bad host or port"),
        ("redis://:ses#ame@r", "has a #"),
        ("redis://:sesame@r/zero", "database number"),
        ("redis://:sesame@r/-1", "database number"),
        ("redis://:sesame@r/0/1", "more behind the host"),
        ("redis://:sesame@r,s/0", "several hosts"),
        ("redis://:sesame@r?ssl_ca_certs=x", r"option \?ssl_ca_certs= that redis:// does not know; it knows none"),
        ("rediss://:sesame@r?ssl_ca_certs=/nowhere", r"names a file in \?ssl_ca_certs= that is not there"),
        ("redis+sentinel://:sesame@a/m?sentinel_password=x&sentinel_password=y", "twice"),
        ("unix://run/redis.sock?password=sesame", "whole path"),
        ("unix:///redis.sock?password=sesame&db=x", "database number"),
        ("redis+sentinel://:sesame@a,b", "lacks the master's name"),
        ("redis+sentinel://:sesame@a,,b/m", "lacks a host"),
        ("redis+sentinel://:sesame@a/m/x", "database number"),
    ],
)
def test_every_mistake_is_named_and_no_password(url: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint) as refusal:
        parse(url)
    assert str(refusal.value).startswith("PINGUIN_REDIS_URL ")
    assert "sesame" not in str(refusal.value)
