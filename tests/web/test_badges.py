"""Badges: right, private until somebody opens them, and closed for good afterwards."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from pinguin.db import Pool
from pinguin.people import Role
from pinguin.store.badges import Facts
from pinguin.web import badges
from pinguin.web.badges import GREEN, GREY, RED, YELLOW, Badge
from tests.factory import add_monitor, fetch, set_status
from tests.web.conftest import Client, person, signed_in
from tests.web.hostile import HOSTILE

EXPIRES = """insert into monitor_expiries (monitor_id, kind, expires_at)
values (%s, 'certificate', now() + interval '12 days 1 hour') returning 1"""


def title(svg: str) -> str:
    found = ElementTree.fromstring(svg).find("{http://www.w3.org/2000/svg}title")
    assert found is not None
    return found.text or ""


async def test_each_badge_says_its_number(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    await set_status(pool, monitor, "up")
    await fetch(pool, "update monitor_states set latency_ms = 84 where monitor_id = %s returning 1", monitor)
    await fetch(pool, EXPIRES, monitor)
    titles = {}
    for kind in badges.KINDS:
        answer = await client.get(f"/badge/{monitor}/{kind}.svg")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml"), answer.text
        titles[kind] = title(answer.text)
    assert titles["status"] == "status: up"
    assert titles["latency"] == "latency: 84 ms"
    assert titles["certificate"] == "certificate: 12 days"
    assert titles["uptime"].startswith("uptime: ")
    assert title((await client.get(f"/badge/{monitor}/status.svg?label=our%20shop")).text) == "our shop: up"


async def test_nobody_sees_them_without_a_link_or_a_session(client: Client, visitor: Client, pool: Pool) -> None:
    monitor, other = await add_monitor(pool, name="hidden"), await add_monitor(pool)
    await client.submit(f"/monitors/{monitor}/badges/open")
    [(key,)] = await fetch(pool, "select key from badge_links")
    assert len(key) >= 20
    visitor.cookies.clear()
    answer = await visitor.get(f"/badge/{monitor}/status.svg")
    assert answer.status_code == 303
    public = await visitor.get(f"/badge/{monitor}/status.svg?key={key}")
    assert public.status_code == 200
    assert public.headers["cache-control"] == "public, max-age=60"
    assert public.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "hidden" not in public.text
    for wrong in (f"/badge/{other}/status.svg?key={key}", f"/badge/{monitor}/status.svg?key={key}x"):
        assert (await visitor.get(wrong)).status_code == 404
    again = await visitor.get(
        f"/badge/{monitor}/status.svg?key={key}", headers={"If-None-Match": public.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_a_link_that_was_taken_back_is_gone_for_good(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    page = f"/monitors/{monitor}/badges"
    await client.submit(f"{page}/open")
    [(key,)] = await fetch(pool, "select key from badge_links")
    assert f"/badge/{monitor}/uptime.svg?key={key}" in (await client.get(page)).text
    await client.submit(f"{page}/open")
    assert await fetch(pool, "select key from badge_links") == [(key,)]
    await client.submit(f"{page}/close")
    assert (await client.get(f"/badge/{monitor}/status.svg?key={key}")).status_code == 404
    await client.submit(f"{page}/open")
    assert await fetch(pool, "select key from badge_links") != [(key,)]
    log = await fetch(pool, "select action from audit where object_kind = 'monitor' order by id")
    assert log == [("monitor.badges",)] * 3


async def test_a_viewer_makes_no_link(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    await signed_in(client, pool, await person(pool, "cyd", Role.VIEWER))
    assert (await client.submit(f"/monitors/{monitor}/badges/open")).status_code == 403
    assert "Make a link" not in (await client.get(f"/monitors/{monitor}/badges")).text
    assert (await client.get(f"/badge/{monitor}/status.svg")).status_code == 200


async def test_a_badge_of_nothing_is_none(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    for path in ("99/status.svg", f"{monitor}/status.png", f"{monitor}/mood.svg", f"{2**70}/status.svg"):
        assert (await client.get(f"/badge/{path}")).status_code == 404, path
    for query in ("label=" + "x" * 41, "label=%00", "days=31", "days=x"):
        assert (await client.get(f"/badge/{monitor}/uptime.svg?{query}")).status_code == 400, query


@pytest.mark.parametrize("label", HOSTILE)
def test_a_hostile_label_is_text(label: str) -> None:
    text = re.sub(r"[\x00-\x1f\ud800-\udfff\ufffe\uffff]", "", label)[:40]
    root = ElementTree.fromstring(badges.draw(Badge(text, "up", GREEN)))
    assert {each.tag.partition("}")[2] for each in root.iter()} == {"svg", "title", "clipPath", "rect", "g", "text"}
    assert int(root.attrib["width"]) < 600


def facts(**values: object) -> Facts:
    known = {"name": "shop", "status": "up", "latency_ms": None, "uptime": None, "certificate_days": None}
    return Facts(**(known | values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "values", "value", "colour"),
    [
        ("uptime", {"uptime": None}, "unknown", GREY),
        ("uptime", {"uptime": 1.0}, "100 %", GREEN),
        ("uptime", {"uptime": 0.9999999}, "99.999 %", GREEN),  # never rounded up
        ("uptime", {"uptime": 0.985}, "98.50 %", RED),
        ("certificate", {"certificate_days": 20.9}, "20 days", YELLOW),
        ("certificate", {"certificate_days": 1.5}, "1 day", RED),
        ("certificate", {"certificate_days": -0.1}, "expired", RED),
        ("latency", {"latency_ms": None}, "unknown", GREY),
        ("status", {"status": "pending"}, "waiting", GREY),
        ("status", {"status": "down"}, "down", RED),
    ],
)
def test_values_and_colours(kind: str, values: dict[str, object], value: str, colour: str) -> None:
    made = badges.KINDS[kind](facts(**values))
    assert (made.value, made.colour) == (value, colour)


def test_white_can_be_read_on_every_colour() -> None:
    def light(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for colour in (*badges.COLOURS.values(), GREY, "#30363d"):
        assert 1.05 / (light(colour) + 0.05) >= 4.5, colour
