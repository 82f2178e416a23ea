"""How a change is told in the audit log, and that no secret is."""

from __future__ import annotations

from typing import Any

import pytest

from pinguin.checks import check_types
from pinguin.db import Pool
from pinguin.fields.describe import options_of
from pinguin.store import audit
from pinguin.store.audit import Hidden, diff
from pinguin.web import audited
from tests.factory import fetch
from tests.web.conftest import Client
from tests.web.monitor_forms import OWN


def test_a_difference_is_told_field_by_field() -> None:
    before = {"name": "a", "tags": ["x"], "options": {"url": "u", "port": 1}, "gone": 1, "same": None}
    after = {"name": "b", "tags": ["x"], "options": {"url": "u", "port": 2}, "new": {"deep": True}}
    assert diff(before, after) == {
        "name": {"from": "a", "to": "b"},
        "options.port": {"from": 1, "to": 2},
        "gone": {"from": 1},
        "new.deep": {"to": True},
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Hidden("s3cret"), Hidden("other")),
        (Hidden("s3cret"), None),
        (None, Hidden("s3cret")),
        ("sealed:v1:s3cret", "sealed:v1:other"),
        (["sealed:v1:s3cret"], []),
        ([Hidden("s3cret")], [Hidden("other")]),
        (Hidden("https://h/?s3cret", "https://h/?…"), Hidden("https://h/?other", "https://h/?…")),
    ],
)
def test_of_a_secret_only_the_change_is_told(before: Any, after: Any) -> None:
    assert diff({"field": before}, {"field": after}) == {"field": "changed"}
    assert "s3cret" not in repr(diff({"list": [{"below": before}]}, {"list": [{"below": after}]}))
    assert diff({"field": before}, {"field": before}) == {}


def test_long_and_odd_values_are_cut_and_mended() -> None:
    [change] = diff(None, {"text": "x" * 5000 + "\x00"}).values()
    assert len(change["to"]) == audit.LONGEST + 1
    [change] = diff(None, {"text": "a\x00\ud7ff\udc80"}).values()
    change["to"].encode()
    assert "\x00" not in change["to"]


def test_every_secret_option_of_every_check_type_is_hidden() -> None:
    """By the annotations that hide it in forms: a type that is added later is held to it too."""
    looked_at = 0
    for kind in check_types().values():
        for name in secrets_of(kind.options):
            looked_at += 1
            shown = audited.fields({name: "s3cret"}, kind.options)
            assert diff(None, shown) == {name: "changed"}, (kind.name, name)
        assert diff(None, audited.fields({"unheard_of": "s3cret"}, kind.options)) == {"unheard_of": "changed"}
    assert looked_at > 5


def secrets_of(struct: Any) -> list[str]:
    return [option.name for option in options_of(struct) if option.secret]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://shop.example/path", "https://shop.example/path"),
        ("https://user:s3cret@shop.example/path", "https://…@shop.example/path"),
        ("https://shop.example/?key=s3cret", "https://shop.example/?…"),
        ("https://shop.example/#s3cret", "https://shop.example/#…"),
        ("postgresql://u:s3cret@h/db?x=s3cret", "postgresql://…@h/db?…"),
        ("no address: a@b", "no address: a@b"),
    ],
)
def test_addresses_are_told_without_what_may_be_secret(text: str, shown: str) -> None:
    found = audited.address(text)
    assert (found.shown if isinstance(found, Hidden) else found) == shown


async def test_no_secret_of_a_monitor_comes_into_the_log(client: Client, pool: Pool) -> None:
    sent = {
        **OWN, "type": "http", "options.method": "GET", "options.accepted_statuses": "200-299",
        "options.url": "http://127.0.0.1:9/?key=s3cret1", "options.headers": "X-Key: s3cret2", "options.auth": "basic",
        "options.username": "ada", "options.password": "s3cret3",
    }  # fmt: skip
    made = await client.submit("/monitors/new", sent)
    assert made.status_code == 303, made.text
    await client.submit(made.headers["location"] + "/delete")
    [(text,)] = await fetch(pool, "select string_agg(changes::text, ' ') from audit")
    assert "s3cret" not in text
    assert "127.0.0.1:9" in text
