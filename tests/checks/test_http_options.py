from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import fields

from pinguin.checks import check_type, check_types
from pinguin.checks.http.reading import parse_proxy
from pinguin.errors import InvalidInput

OAUTH = {
    "auth": "oauth2",
    "oauth_token_url": "https://example.org/token",
    "oauth_client_id": "a",
    "oauth_client_secret": "b",
}
BAD: list[tuple[str, dict[str, Any]]] = [
    ("url", {"url": "example.org"}),
    ("url", {"url": "ftp://example.org"}),
    ("url", {"url": "http://"}),
    ("url", {"url": "http:///path"}),
    ("url", {"url": "http://example.org:99999/"}),
    ("url", {"url": "http://user:pass@example.org/"}),
    ("url", {"url": "http://example.org/\r\nX: y"}),
    ("url", {"url": " http://example.org/"}),
    ("url", {"url": "http://[::1/"}),
    ("url", {"url": "https://.example.org/"}),
    ("url", {"url": ""}),
    ("url", {}),
    ("method", {"method": "BREW"}),
    ("accepted_statuses", {"accepted_statuses": ["ok"]}),
    ("accepted_statuses", {"accepted_statuses": ["299-200"]}),
    ("accepted_statuses", {"accepted_statuses": ["99"]}),
    ("accepted_statuses", {"accepted_statuses": []}),
    ("headers", {"headers": {"X-Key": "a\r\nEvil: b"}}),
    ("headers", {"headers": {"X Key": "a"}}),
    ("headers", {"headers": {"X-Key\n": "a"}}),
    ("headers", {"headers": {"Content-Length": "3"}}),
    ("headers", {"headers": {"X-Key": "a", "x-key": "b"}}),
    ("headers", {"headers": {"Authorization": "x"}, "username": "me"}),
    ("username", {"username": "a:b"}),
    ("keyword", {"keyword": "x", "method": "HEAD"}),
    ("ca_certificates", {"ca_certificates": "not a certificate"}),
    ("ca_certificates", {"ca_certificates": "nicht ä"}),
    ("max_redirects", {"max_redirects": 21}),
    ("certificate_days", {"certificate_days": -1}),
    ("max_body_bytes", {"max_body_bytes": 0}),
    ("ip_version", {"ip_version": "5"}),
    ("verify_tls", {"verify_tls": "yes"}),
    ("colour", {"colour": "red"}),
    ("headers", {"headers": {"Authorization": "x"}, "auth": "bearer", "bearer_token": "t"}),
    ("headers", {"headers": {"Cookie": "a=b"}, "cookies": {"c": "d"}}),
    ("cookies", {"cookies": {"a b": "c"}}),
    ("cookies", {"cookies": {"a": "b; c=d"}}),
    ("cookies", {"cookies": {"a": "b\r\nX: y"}}),
    ("body_kind", {"body_kind": "xml"}),
    ("body", {"body_kind": "json", "body": "{"}),
    ("body", {"body_kind": "json", "body": "[" * 60_000}),
    ("body", {"body_kind": "form", "body": "a"}),
    ("body", {"body_kind": "form", "body": "=a"}),
    ("keyword", {"keyword_absent": "x", "method": "HEAD"}),
    ("conditions", {"conditions": ["stauts < 400"]}),
    ("conditions", {"conditions": ["body contains x"], "method": "HEAD"}),
    ("conditions", {"conditions": ["json $.a == 1"], "method": "HEAD"}),
    ("conditions", {"conditions": ["status < 400"] * 31}),
    ("upside_down", {"upside_down": "yes"}),
    ("auth", {"auth": "ntlm"}),
    ("auth", {"bearer_token": "t"}),
    ("auth", {"oauth_token_url": "https://example.org/"}),
    ("username", {"auth": "digest"}),
    ("bearer_token", {"auth": "bearer"}),
    ("bearer_token", {"auth": "bearer", "bearer_token": "a b"}),
    ("bearer_token", {"auth": "bearer", "bearer_token": "a\r\nX: y"}),
    ("oauth_token_url", {"auth": "oauth2", "oauth_client_id": "a", "oauth_client_secret": "b"}),
    ("oauth_token_url", {**OAUTH, "oauth_token_url": "ftp://example.org"}),
    ("oauth_token_url", {**OAUTH, "oauth_token_url": "https://a:b@example.org"}),
    ("oauth_client_id", {**OAUTH, "oauth_client_id": ""}),
    ("oauth_client_secret", {**OAUTH, "oauth_client_secret": ""}),
    ("oauth_credentials", {**OAUTH, "oauth_credentials": "query"}),
    ("tls_minimum", {"tls_minimum": "1.0"}),
    ("server_name", {"server_name": "https://example.org"}),
    ("server_name", {"server_name": "example.org:443"}),
    ("client_key", {"client_certificate": "x"}),
    ("client_certificate", {"client_key": "x"}),
    ("client_key", {"client_certificate": "x", "client_key": "y"}),
    ("proxy", {"proxy": "proxy.example.org:3128"}),
    ("proxy", {"proxy": "https://proxy.example.org"}),
    ("proxy", {"proxy": "socks4://proxy.example.org"}),
    ("proxy", {"proxy": "http://me:secret@proxy.example.org"}),
    ("proxy", {"proxy": "http://proxy.example.org:99999"}),
    ("proxy", {"proxy": "http://proxy.example.org/path"}),
    ("proxy_username", {"proxy_username": "me"}),
    ("proxy_username", {"proxy": "http://proxy.example.org", "proxy_password": "x"}),
    ("http2", {"http2": 1}),
    ("compression", {"compression": "gzip"}),
    ("cache_busting", {"cache_busting": 1}),
]


@pytest.mark.parametrize(("name", "options"), BAD)
def test_a_bad_option_is_refused_by_its_name(name: str, options: dict[str, Any]) -> None:
    whole = options if "url" in options or not options else {"url": "http://example.org/", **options}

    with pytest.raises(InvalidInput) as refused:
        check_type("http").parse(whole)

    assert list(refused.value.fields) == [name]


def test_a_header_that_is_there_twice_is_told_with_both_names() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_type("http").parse({"url": "http://example.org/", "headers": {"X-Key": "a", "B": "", "x-key": "b"}})

    assert refused.value.fields == {"headers": "must have each header once: X-Key and x-key are the same one"}
    check_type("http").parse({"url": "http://example.org/", "cookies": {"A": "1", "a": "2"}})  # of cookies it counts


def test_a_bad_condition_is_told_with_its_line_and_the_fix() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_type("http").parse({"url": "http://example.org/", "conditions": ["status < 400", "json $.a = 1"]})

    assert refused.value.fields == {"conditions": "line 2 (json $.a = 1): has one =; write =="}


def test_at_first_sight_the_form_is_simple() -> None:
    described = {item.name: item.type.__metadata__[0].extra for item in fields(check_types()["http"].options)}
    shown = [name for name, extra in described.items() if not extra["advanced"]]
    assert shown == ["url", "method", "accepted_statuses", "keyword"]


@pytest.mark.parametrize(
    ("proxy", "host", "port"),
    [
        ("http://proxy.example.org", "proxy.example.org", 3128),
        ("socks5://10.0.0.1", "10.0.0.1", 1080),
        ("socks5://[::1]:99/", "::1", 99),
        ("http://[::1]", "::1", 3128),
    ],
)
def test_proxies_as_they_are_written(proxy: str, host: str, port: int) -> None:
    found = parse_proxy(proxy)
    assert (found.host, found.port) == (host, port)


def test_the_target_holds_no_secret() -> None:  # TRAP 20, TRAP 24
    options = check_type("http").parse({"url": "https://example.org:8443/path?token=hush#part"})

    assert options.target() == "https://example.org:8443/path?…"


def test_a_target_is_one_line_whatever_its_path() -> None:
    assert check_type("http").parse({"url": "http://example.org/a%0Ab"}).target() == "http://example.org/a%0Ab"


def test_international_names_are_shown_as_written_and_asked_for_in_ascii() -> None:
    assert check_type("http").parse({"url": "https://bücher.example/"}).target() == "https://bücher.example/"


@pytest.mark.parametrize("name", ["http", "tcp", "ping", "dns"])
def test_every_option_has_what_the_form_needs(name: str) -> None:
    for item in fields(check_types()[name].options):
        described = [meta for meta in item.type.__metadata__ if isinstance(meta, msgspec.Meta)]
        assert described[0].title, item.name
        assert described[0].extra is not None
        assert {"widget", "unit", "advanced", "secret"} <= set(described[0].extra)


@pytest.mark.parametrize("name", ["http", "tcp", "ping", "dns"])
def test_every_check_type_says_what_it_does(name: str) -> None:
    assert len(check_types()[name].doc) > 40
