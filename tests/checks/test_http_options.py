from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pinguin.checks import check_type, check_types
from pinguin.errors import InvalidInput

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
]


@pytest.mark.parametrize(("name", "options"), BAD)
def test_a_bad_option_is_refused_by_its_name(name: str, options: dict[str, Any]) -> None:
    whole = options if "url" in options or not options else {"url": "http://example.org/", **options}

    with pytest.raises(InvalidInput) as refused:
        check_type("http").parse(whole)

    assert list(refused.value.fields) == [name]


def test_the_target_holds_no_secret() -> None:  # TRAP 20, TRAP 24
    options = check_type("http").parse({"url": "https://example.org:8443/path?token=hush#part"})

    assert options.target() == "https://example.org:8443/path?…"


def test_a_target_is_one_line_whatever_its_path() -> None:
    assert check_type("http").parse({"url": "http://example.org/a%0Ab"}).target() == "http://example.org/a%0Ab"


def test_international_names_are_shown_as_written_and_asked_for_in_ascii() -> None:
    assert check_type("http").parse({"url": "https://bücher.example/"}).target() == "https://bücher.example/"


@pytest.mark.parametrize("name", ["http", "tcp", "ping", "dns"])
def test_every_option_has_what_the_form_needs(name: str) -> None:
    for item in msgspec.structs.fields(check_types()[name].options):
        described = [meta for meta in item.type.__metadata__ if isinstance(meta, msgspec.Meta)]
        assert described[0].title, item.name
        assert described[0].extra is not None
        assert {"widget", "unit", "advanced", "secret"} <= set(described[0].extra)


@pytest.mark.parametrize("name", ["http", "tcp", "ping", "dns"])
def test_every_check_type_says_what_it_does(name: str) -> None:
    assert len(check_types()[name].doc) > 40
