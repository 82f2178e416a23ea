"""Who is told of a monitor: a part of its form."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pinguin.db import Pool, connection
from pinguin.store import channels
from tests.factory import add_monitor, fetch
from tests.store.telling import add_channel
from tests.web.conftest import Client
from tests.web.monitor_forms import TCP, base
from tests.web.pages import beside

RULES = {
    **TCP, "alerts": "1", "alerts.told": "default", "alerts.steps.0.after": "0", "alerts.remind_every_min": "0",
    "alerts.on_degraded": "on", "alerts.flap_outages": "5", "alerts.flap_window_min": "60",
    "alerts.certificate_days": "21\n14\n7\n3\n1", "alerts.slow_above_ms": "", "alerts.slow_percentile": "95",
    "alerts.slow_window_min": "15",
}  # fmt: skip


async def stored(pool: Pool) -> Any:
    return (await fetch(pool, "select alerts from monitors order by id desc limit 1"))[0][0]


def drawn(page: str) -> dict[str, str]:
    """What the form's alert part would send."""
    part = page[page.index('id="alerts"') : page.index("</datalist>")]
    sent = {"alerts": "1"}
    for tag in re.findall(r"<input [^>]*>", part):
        given = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if given.get("type") not in ("checkbox", "radio") or re.search(r" checked[ >]", tag):
            sent[given["name"]] = given["value"]
    for name, text in re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>\n([^<]*)</textarea>', part):
        sent[name] = text
    return sent


async def test_the_default_rules_are_stored_as_none(client: Client, pool: Pool) -> None:
    await add_channel(pool)
    page = (await client.get("/monitors/new?type=tcp")).text
    assert "Tell the default channels <i>ops</i>" in page
    assert (await client.submit("/monitors/new", {**TCP, **drawn(page)})).status_code == 303
    assert await stored(pool) == {}


async def test_a_form_without_the_part_leaves_the_rules_as_they_are(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    await fetch(pool, """update monitors set alerts = '{"steps": []}' returning 1""")
    await client.submit(f"/monitors/{monitor}/edit", {**TCP, **await base(client, monitor), "name": "new"})
    assert await stored(pool) == {"steps": []}


async def test_every_rule_is_kept_shown_again_and_makes_no_version(client: Client, pool: Pool) -> None:
    ops, night = await add_channel(pool), await add_channel(pool, name="night")
    async with connection(pool) as conn:
        group = await channels.create_group(conn, "all", [ops, night])
    db = await add_monitor(pool, name="db")
    monitor = await add_monitor(pool, name="shop")
    await client.submit(f"/monitors/{monitor}/edit", {**RULES, **await base(client, monitor)})
    [(version,)] = await fetch(pool, "select version from monitors where id = %s", monitor)
    sent = {
        **RULES, "alerts.told": "chosen", f"alerts.steps.0.channel.{ops}": "on", "alerts.steps.2.after": "30",
        f"alerts.steps.2.group.{group}": "on", "alerts.steps.1.after": "7.5", f"alerts.steps.1.channel.{night}": "on",
        "alerts.remind_every_min": "60", "alerts.on_unknown": "on", "alerts.flap_outages": "0",
        "alerts.flap_window_min": "30", "alerts.certificate_days": "7\n30\n7", "alerts.slow_above_ms": "800",
        "alerts.slow_percentile": "99", "alerts.slow_window_min": "10", "alerts.depends_on.1": "db",
    }  # fmt: skip
    sent.pop("alerts.on_degraded")
    answer = await client.submit(f"/monitors/{monitor}/edit", {**sent, **await base(client, monitor)})
    assert answer.status_code == 303
    expected = {
        "steps": [
            {"after_s": 0, "channels": [ops], "groups": []},
            {"after_s": 450, "channels": [night], "groups": []},
            {"after_s": 1800, "channels": [], "groups": [group]},
        ],
        "remind_every_s": 3600, "on_degraded": False, "on_unknown": True, "flap_outages": 0, "flap_window_s": 1800,
        "certificate_days": [30, 7], "slow_percentile": {"above_ms": 800, "percentile": 99, "window_s": 600},
    }  # fmt: skip
    assert await stored(pool) == expected
    assert await fetch(pool, "select depends_on from monitor_dependencies") == [(db,)]

    page = (await client.get(f"/monitors/{monitor}/edit")).text
    await client.submit(f"/monitors/{monitor}/edit", {**TCP, **drawn(page), **await base(client, monitor)})
    assert await stored(pool) == expected
    assert await fetch(pool, "select version from monitors where id = %s", monitor) == [(version,)]
    page = (await client.get(f"/monitors/new?from={monitor}")).text
    assert (await client.submit("/monitors/new", {**TCP, **drawn(page), "from": str(monitor)})).status_code == 303
    assert await stored(pool) == expected
    assert await fetch(pool, "select depends_on from monitor_dependencies") == [(db,), (db,)]


async def test_nobody_is_a_choice(client: Client, pool: Pool) -> None:
    await client.submit("/monitors/new", {**RULES, "alerts.told": "nobody"})
    assert await stored(pool) == {"steps": []}
    assert 'value="nobody" checked' in (await client.get("/monitors/1/edit")).text


async def test_the_earliest_step_is_the_first(client: Client, pool: Pool) -> None:
    """It is the one that hears of everything else, too."""
    ops, night = await add_channel(pool), await add_channel(pool, name="night")
    steps = {
        "alerts.told": "chosen", "alerts.steps.0.after": "20", f"alerts.steps.0.channel.{ops}": "on",
        "alerts.steps.1.after": "5", f"alerts.steps.1.channel.{night}": "on",
    }  # fmt: skip
    await client.submit("/monitors/new", {**RULES, **steps})
    assert [(step["after_s"], step["channels"]) for step in (await stored(pool))["steps"]] == [
        (300, [night]), (1200, [ops]),
    ]  # fmt: skip


CHOSEN = {"alerts.told": "chosen", "alerts.steps.0.channel.1": "on"}
WRONG = [
    ({"alerts.told": "everybody"}, "alerts-told", "Who is told must be one of default, chosen, nobody"),
    (
        {"alerts.told": "chosen"},
        "alerts-steps-0",
        "This step: tick at least one channel or group, or choose who is told otherwise",
    ),
    ({**CHOSEN, "alerts.steps.0.after": "soon"}, "alerts-steps-0", "This step: must be a number"),
    ({**CHOSEN, "alerts.steps.0.after": "-1"}, "alerts-steps-0", "This step: must be a number"[:10]),
    ({**CHOSEN, "alerts.steps.1.channel.1": "on"}, "alerts-steps-1", "This step: say after how many minutes"),
    (
        {**CHOSEN, "alerts.steps.2.after": "9"},
        "alerts-steps-2",
        "This step: tick who is told after 9 minutes, or empty the minutes",
    ),
    (
        {**CHOSEN, "alerts.steps.3.after": "99999", "alerts.steps.3.channel.1": "on"},
        "alerts-steps-3",
        "This step: minutes must be from 0 to 10080, which is a week",
    ),
    ({"alerts.remind_every_min": "often"}, "alerts-remind-every-min", "Remind every must be a number"),
    ({"alerts.remind_every_min": "10081"}, "alerts-remind-every-min", "Remind every must be at most 10080"),
    ({"alerts.flap_outages": "-1"}, "alerts-flap-outages", "Flapping from must be at least 0"),
    ({"alerts.flap_window_min": "0.5"}, "alerts-flap-window-min", "Flapping within must be at least 1"),
    ({"alerts.certificate_days": "soon"}, "alerts-certificate-days", "Certificate and domain must be a whole number"),
    (
        {"alerts.certificate_days": "7\n366"},
        "alerts-certificate-days",
        "Certificate and domain must be days from 0 to 365",
    ),
    ({"alerts.slow_above_ms": "0"}, "alerts-slow-above-ms", "Slow above must be more than 0"),
    ({"alerts.slow_percentile": "100"}, "alerts-slow-percentile", "Slow percentile must be at most 99.9"),
    ({"alerts.depends_on.0": "nothing"}, "alerts-depends-on", "Depends on 'nothing' is no monitor"),
    ({"alerts.depends_on.0": "DB"}, "alerts-depends-on", "Depends on 'DB' is no monitor; did you mean db?"),
]


async def test_each_mistake_stands_beside_its_field_and_keeps_the_rest(client: Client, pool: Pool) -> None:
    await add_channel(pool)
    await add_monitor(pool, name="db")
    for changes, field, words in WRONG:
        answer = await client.submit("/monitors/new", {**RULES, **changes, "tags": "kept"})
        assert answer.status_code == 422, changes
        assert beside(answer.text, field).startswith(words), changes
        assert "kept" in answer.text
        for name, value in changes.items():
            assert f'name="{name}"' in answer.text or value == "everybody", name
    assert len(await fetch(pool, "select 1 from monitors")) == 1


async def test_a_loop_is_named_beside_its_field(client: Client, pool: Pool) -> None:
    db, shop = await add_monitor(pool, name="db"), await add_monitor(pool, name="shop")
    await fetch(pool, "insert into monitor_dependencies values (%s, %s) returning 1", shop, db)
    sent = {**RULES, "name": "db", "alerts.depends_on.0": "shop"}
    answer = await client.submit(f"/monitors/{db}/edit", {**sent, **await base(client, db)})
    assert answer.status_code == 422
    assert beside(answer.text, "alerts-depends-on") == "Depends on makes a loop: db → shop → db. Take one of them out"
    assert 'value="shop"' in answer.text
    sent["alerts.depends_on.0"] = "db"
    answer = await client.submit(f"/monitors/{db}/edit", {**sent, **await base(client, db)})
    assert beside(answer.text, "alerts-depends-on") == "Depends on must not name the monitor itself"


async def test_monitors_of_the_same_name_are_told_apart(client: Client, pool: Pool) -> None:
    one, two = await add_monitor(pool, name="db"), await add_monitor(pool, name="db")
    page = (await client.get("/monitors/new")).text
    assert f'<option value="db #{one}">' in page
    assert (await client.submit("/monitors/new", {**RULES, "alerts.depends_on.0": f"db #{two}"})).status_code == 303
    assert await fetch(pool, "select depends_on from monitor_dependencies") == [(two,)]


async def test_a_channel_that_was_deleted_is_in_no_rule_any_more(client: Client, pool: Pool) -> None:
    ops, night = await add_channel(pool), await add_channel(pool, name="night")
    await client.submit("/monitors/new", {**RULES, **CHOSEN, f"alerts.steps.0.channel.{night}": "on"})
    async with connection(pool) as conn:
        await channels.archive(conn, night)
    page = (await client.get("/monitors/1/edit")).text
    assert "night" not in page
    # Somebody had the form open: the channel that is gone is left out.
    sent = {**RULES, **CHOSEN, f"alerts.steps.0.channel.{night}": "on", **await base(client, 1)}
    assert (await client.submit("/monitors/1/edit", sent)).status_code == 303
    assert [step["channels"] for step in (await stored(pool))["steps"]] == [[ops]]


async def test_rules_that_cannot_be_read_can_be_mended(client: Client, pool: Pool) -> None:
    monitor = await add_monitor(pool)
    await fetch(pool, """update monitors set alerts = '{"of a newer version": 1}' returning 1""")
    page = (await client.get(f"/monitors/{monitor}/edit")).text
    assert "cannot be read as it is stored" in page
    await client.submit(f"/monitors/{monitor}/edit", {**RULES, **await base(client, monitor)})
    assert await stored(pool) == {}


@pytest.mark.parametrize("hostile", ['"><script>alert(1)</script>', "\x00\u202e{{ 7 * 7 }}", "9" * 400, "ſ' or 1=1"])
async def test_hostile_input_is_refused_and_shown_as_it_was(client: Client, pool: Pool, hostile: str) -> None:
    await add_channel(pool)
    names = [name for name in RULES if name.startswith("alerts.")] + ["alerts.steps.1.after", "alerts.depends_on.0"]
    answer = await client.submit("/monitors/new", {**RULES, **dict.fromkeys(names, hostile)})
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert "\x00" not in answer.text
    assert await fetch(pool, "select 1 from monitors") == []


async def test_mistakes_in_the_rules_do_not_stop_a_try(client: Client, pool: Pool) -> None:
    answer = await client.submit(
        "/monitors/test", {**RULES, "alerts.remind_every_min": "x"}, headers={"HX-Request": "true"}
    )
    assert "Down" in answer.text
