"""What people do to incidents on the pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from pinguin.db import Pool
from pinguin.errors import InvalidInput
from pinguin.web.routes.incident import until_when
from tests.factory import add_incident, add_monitor, fetch
from tests.web.conftest import Client


async def test_acknowledging_and_taking_it_back(client: Client, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool))
    answer = await client.submit(
        f"/incidents/{incident}/acknowledge", {"note": "I look\r\nat it"}, follow_redirects=True
    )
    for words in ("Acknowledged. No reminder", "<b>ada</b> takes care of it", "I look\nat it", "Take back"):
        assert words in answer.text
    assert "acknowledged by ada" in (await client.get("/incidents?state=acknowledged")).text
    again = await client.submit(f"/incidents/{incident}/acknowledge", follow_redirects=True)
    assert "Somebody did that before" in again.text
    back = await client.submit(f"/incidents/{incident}/take-back", {"note": "ill"}, follow_redirects=True)
    assert "took the acknowledgement back" in back.text
    assert await fetch(pool, "select acknowledged_at from incidents") == [(None,)]
    assert "did that before" in (await client.submit(f"/incidents/{incident}/take-back", follow_redirects=True)).text


async def test_many_are_acknowledged_from_the_list(client: Client, pool: Pool) -> None:
    ids = [await add_incident(pool, await add_monitor(pool, name=f"m{n}")) for n in range(3)]
    done = await add_incident(pool, await add_monitor(pool), lasted=5)
    page = (await client.get("/incidents?state=open")).text
    boxes = re.findall(r'name="(i\d+)" value="on"', page)
    assert sorted(boxes) == [f"i{each}" for each in ids]
    ticked = {f"i{each}": "on" for each in (ids[0], ids[2], done)}
    back = {"back": "/incidents?state=open&done=9", "note": "storm"}
    answer = await client.submit("/incidents/acknowledge", {**ticked, **back})
    assert answer.headers["location"] == "/incidents?state=open&done=2"
    assert await fetch(pool, "select id from incidents where acknowledged_by = 'ada' order by id") == [
        (ids[0],),
        (ids[2],),
    ]
    assert await fetch(pool, "select distinct text from incident_events where kind = 'acknowledged'") == [("storm",)]
    assert "Acknowledged 2 incidents" in (await client.get(answer.headers["location"])).text
    for bad in ({"back": "https://evil.example/"}, {"ix": "on"}, {"i" + "9" * 30: "on"}):
        answer = await client.submit("/incidents/acknowledge", bad)
        assert answer.headers["location"].endswith("?done=0")
        assert answer.headers["location"].startswith("/")
    assert "Nothing was acknowledged" in (await client.get("/incidents?done=0")).text


async def test_snoozing_and_waking(client: Client, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool))
    answer = await client.submit(f"/incidents/{incident}/snooze", {"for": "60"}, follow_redirects=True)
    assert "Snoozed until" in answer.text
    ((left,),) = await fetch(pool, "select snoozed_until - now() from incidents")
    assert timedelta(minutes=59) < left <= timedelta(minutes=60)
    assert "Awake again" in (await client.submit(f"/incidents/{incident}/wake", follow_redirects=True)).text
    assert await fetch(pool, "select snoozed_until from incidents") == [(None,)]
    at = [{"for": "time", "until": until} for until in ("soon", "2020-01-01T00:00", "9999-12-31T23:59")]
    for bad in (*at, {}, {"for": "5"}, {"for": "morning", "zone": "../../etc/passwd"}):
        assert (await client.submit(f"/incidents/{incident}/snooze", bad)).status_code == 422, bad
    over = await add_incident(pool, await add_monitor(pool), lasted=5)
    assert (
        "over before" in (await client.submit(f"/incidents/{over}/snooze", {"for": "30"}, follow_redirects=True)).text
    )


def test_tomorrow_at_nine_is_where_somebody_sleeps() -> None:
    """TRAP 16: over a change to or from daylight-saving time too."""
    night = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)  # in Berlin it is the 29th, whose clocks go forward
    wanted = {
        "Europe/Berlin": datetime(2026, 3, 30, 7, tzinfo=UTC),
        "UTC": datetime(2026, 3, 29, 9, tzinfo=UTC),
        "America/New_York": datetime(2026, 3, 29, 13, tzinfo=UTC),
        "Pacific/Kiritimati": datetime(2026, 3, 29, 19, tzinfo=UTC),
    }
    for zone, until in wanted.items():
        assert until_when({"for": "morning", "zone": zone}, night) == until, zone
    a_time = {"for": "time", "until": "2026-03-29T12:00", "zone": "Europe/Berlin"}
    assert until_when(a_time, night) == datetime(2026, 3, 29, 10, tzinfo=UTC)
    assert until_when(a_time | {"until": "2026-03-29T12:00+01:00"}, night) == datetime(2026, 3, 29, 11, tzinfo=UTC)
    for bad in ({"for": "time", "until": ""}, {"for": "time", "until": "2026-05-29T12:00"}, {"for": "month"}):
        with pytest.raises(InvalidInput):
            until_when(bad, night)


async def test_comments_stand_in_the_timeline(client: Client, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool), lasted=60)
    answer = await client.submit(
        f"/incidents/{incident}/comment", {"comment": "a cable\r\nwas cut\x00"}, follow_redirects=True
    )
    assert "a cable\nwas cut\ufffd" in answer.text
    for bad in ("", "  ", "x" * 5001):
        assert (await client.submit(f"/incidents/{incident}/comment", {"comment": bad})).status_code == 422
    assert (await client.submit("/incidents/99/comment", {"comment": "x"})).status_code == 404


async def test_resolving_by_hand(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool, name="shop")
    incident = await add_incident(pool, monitor)
    assert (await client.submit(f"/incidents/{incident}/resolve", {"comment": ""})).status_code == 422
    answer = await client.submit(f"/incidents/{incident}/resolve", {"comment": "moved away"}, follow_redirects=True)
    for words in ("Resolved. The monitor", "resolved by ada", "moved away"):
        assert words in answer.text
    assert (
        "over before"
        in (await client.submit(f"/incidents/{incident}/resolve", {"comment": "x"}, follow_redirects=True)).text
    )
    page = (await client.get(f"/monitors/{monitor}")).text
    assert "was resolved by hand" in page
    assert "Waiting" in page


async def test_a_post_mortem_is_shown_and_never_lost(client: Client, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool), lasted=60)
    path = f"/incidents/{incident}/post-mortem"
    answer = await client.submit(path, {"postmortem": "# Why\r\n\r\n**mice**\r\n", "seen": ""}, follow_redirects=True)
    assert "<h3>Why</h3>" in answer.text
    assert "<strong>mice</strong>" in answer.text
    first = "# Why\n\n**mice**"
    answer = await client.submit(path, {"postmortem": "rats", "seen": ""})
    assert answer.status_code == 409
    for words in ("changed by somebody else", "<strong>mice</strong>", ">\nrats</textarea>", f">\n{first}</textarea>"):
        assert words in answer.text, words
    answer = await client.submit(path, {"postmortem": "rats", "seen": first.replace("\n", "\r\n")})
    assert answer.headers["location"] == f"/incidents/{incident}?notice=written#post-mortem"
    answer = await client.submit(path, {"postmortem": "x" * 10_001, "seen": "rats"})
    assert answer.status_code == 400
    assert "x" * 10_001 in answer.text
    assert await fetch(pool, "select postmortem from incidents") == [("rats",)]
    assert (await client.submit("/incidents/99/post-mortem", {"postmortem": "x", "seen": ""})).status_code == 404


@pytest.mark.parametrize("action", ["acknowledge", "take-back", "snooze", "wake", "comment", "resolve", "post-mortem"])
async def test_nothing_is_done_without_the_token_of_a_page(client: Client, pool: Pool, action: str) -> None:
    incident = await add_incident(pool, await add_monitor(pool))
    fields = {"comment": "x", "for": "30", "postmortem": "x"}
    assert (await client.post(f"/incidents/{incident}/{action}", data=fields)).status_code == 403
    assert (await client.post("/incidents/acknowledge", data={f"i{incident}": "on"})).status_code == 403
    assert (await client.get(f"/incidents/{incident}/{action}")).status_code in (404, 405)
    assert await fetch(pool, "select ended_at, acknowledged_at, snoozed_until, postmortem from incidents") == [
        (None,) * 4
    ]
    assert await fetch(pool, "select count(*) from incident_events where who is not null") == [(0,)]


async def test_what_is_too_long_comes_back_with_its_error(client: Client, pool: Pool) -> None:
    incident = await add_incident(pool, await add_monitor(pool))
    words = {"comment": "The comment", "resolve": "The reason", "acknowledge": "The note"}
    for form, title in words.items():
        field = "note" if form == "acknowledge" else "comment"
        text = "<b>" + "long " * 1200
        answer = await client.submit(f"/incidents/{incident}/{form}", {field: text})
        assert answer.status_code == 422
        assert re.search(rf'id="{form}-error">{title} has \d+ characters; write at most \d+', answer.text)
        assert "&lt;b&gt;long long" in answer.text
        assert "<b>long" not in answer.text
    assert await fetch(pool, "select count(*) from audit where object_kind = 'incident'") == [(0,)]
