"""Somebody makes a channel, tries it, chooses it for a monitor, and reads what was told."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from pinguin.db import Pool, connection
from pinguin.store import channels
from tests.browser.conftest import visiting
from tests.factory import add_monitor, fetch
from tests.store.telling import add_channel, broken, message, outage, set_rules
from tests.web.channel_forms import answering

LONG = "550 5.7.1 the policy of mail.example.org refuses messages from 192.0.2.1: " + "x" * 120


@pytest.fixture
async def busy(pool: Pool) -> int:
    """Channels in every state, with a log, and a monitor that chose them; the id of a channel that has all of it."""
    to = {"options": {"url": "https://chat.example.org/hooks/17"}}
    ops, chat, pager = [
        await add_channel(pool, name=name, **to) for name in ("On call", "Chat of the whole team", "Pager")
    ]
    await add_channel(pool, name="Old address", is_default=False, **to)
    shop, db = await add_monitor(pool, name="shop"), await add_monitor(pool, name="db")
    async with connection(pool) as conn:
        group = await channels.create_group(conn, "Everybody", [ops, chat])
        await channels.enable(conn, 4, False)
        await channels.create_group(conn, "Nights", [pager])
    steps = [{"channels": [ops, chat]}, {"after_s": 1800, "groups": [group], "channels": [pager]}]
    await set_rules(pool, shop, {"steps": steps, "remind_every_s": 3600})
    await fetch(pool, "insert into monitor_dependencies values (%s, %s) returning 1", shop, db)
    await outage(pool, shop)
    await outage(pool, db)
    sent = await message(
        pool, ops, "sent", ("failed", "503 Service Unavailable: busy"), ("delivered", "200 OK: thanks")
    )
    await fetch(
        pool,
        "update notifications set message_id = %s, status = 'sent', told_at = now() where channel_id = %s returning 1",
        sent, ops,
    )  # fmt: skip
    await fetch(pool, "update notifications set held = 'maintenance' where channel_id = %s returning 1", chat)
    await message(pool, chat, "retry", ("failed", "no answer within 10 s (waiting for the answer)"))
    await fetch(
        pool,
        "update channels set failing_since = now() - interval '20 min', failures = 4 where id = %s returning 1",
        chat,
    )
    await message(pool, pager, "failed", ("refused", LONG))
    await broken(pool, pager)
    return ops


async def test_the_pages_look_right_on_every_screen(chromium: Browser, address: str, busy: int) -> None:
    """No error, nothing refused by the policy, nothing wider than the screen; pictures for people in artifacts/."""
    pages = {
        "channels": "/channels",
        "channel-new": "/channels/new?kind=email",
        "channel-webhook": "/channels/new?kind=webhook",
        "channel-edit": f"/channels/{busy}/edit",
        "channel-delete": f"/channels/{busy}/delete",
        "messages": "/messages",
        "messages-one": f"/channels/{busy}/messages",
        "monitor-alerts": "/monitors/1",
        "monitor-rules": "/monitors/1/edit",
        "list-told": "/",
    }
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        for name, path in pages.items():
            await visit.page.goto(path)
            await visit.page.wait_for_function("document.documentElement.classList.contains('js')")
            await visit.page.evaluate("document.querySelectorAll('details:not(.menu)').forEach((e) => e.open = true)")
            await visit.pictures(name)


async def test_a_channel_is_made_tried_and_chosen(chromium: Browser, address: str, pool: Pool) -> None:
    async with answering("200 OK", "thank you") as (url, heard), visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto("/")
        await page.get_by_role("link", name="add a channel").click()
        await expect(page.locator("main h2")).to_have_text("Nobody is told yet")
        await visit.shot("channels-none-light-1280")
        await page.get_by_role("link", name="Webhook").click()
        await page.fill("#f-options-url", url)
        await page.fill("#f-name", "Chat")
        await page.fill("#f-subject-template", "{{ item.monitor }} is {{ item.kind }}")
        await expect(page.locator("#preview .subject")).to_contain_text("<door> is down")
        await page.select_option("#sample", "certificate")
        await expect(page.locator("#preview .subject")).to_contain_text("shop is certificate")
        await page.fill("#f-subject-template", "{{ item.nothing }}")
        await expect(page.locator("#preview .error")).to_contain_text("there is no 'nothing'")
        await page.fill("#f-subject-template", "")
        await expect(page.locator("#preview .error")).to_have_count(0)
        await page.get_by_role("button", name="Send a test").click()
        await expect(page.locator("#sent")).to_contain_text("Delivered")
        await expect(page.locator("#sent pre")).to_contain_text("thank you")
        await visit.shot("channel-tried-light-1280")
        await page.get_by_role("button", name="Add channel").click()
        await expect(page.locator(".channel")).to_contain_text("not used yet")
        await page.get_by_role("button", name="Send a test").click()
        await expect(page.locator("#sent")).to_contain_text("Delivered")
        assert len(heard) == 2
        await page.goto("/monitors/new?type=tcp")
        await expect(page.locator("#alerts")).to_contain_text("Tell the default channels Chat")
        await expect(page.locator("#alerts .steps")).to_be_hidden()
        await page.get_by_label("Tell these channels").check()
        await page.locator("#alerts").get_by_label("Chat", exact=True).first.check()
        await page.fill("#f-options-host", "127.0.0.1")
        await page.fill("#f-options-port", "9")
        await page.fill("#f-name", "shop")
        await page.get_by_role("button", name="Add monitor").click()
        await expect(page.locator(".alerts-part")).to_contain_text("Told at once: Chat")
    assert await fetch(pool, "select alerts -> 'steps' -> 0 -> 'channels' from monitors") == [([1],)]


async def test_all_of_it_works_without_javascript(chromium: Browser, address: str, pool: Pool) -> None:
    await add_monitor(pool, name="db")
    async with answering("410 Gone", "no such hook") as (url, _), visiting(
        chromium, address, java_script_enabled=False
    ) as visit:  # fmt: skip
        await visit.sign_in()
        page = visit.page
        await page.goto("/")
        await page.get_by_role("link", name="add a channel").click()
        await page.get_by_role("link", name="Webhook").click()
        await page.fill("#f-options-url", url)
        await page.fill("#f-name", "Chat")
        await page.fill("#f-body-template", "{{ item.kind }}!")
        await page.select_option("#sample", "up")
        await page.get_by_role("button", name="Preview").click()
        await expect(page.locator("#preview pre")).to_have_text("up!")
        await page.fill("#f-options-url", url)  # it is a secret, so it is not shown again
        await page.get_by_role("button", name="Send a test").click()
        await expect(page.locator("#sent")).to_contain_text("Refused")
        await expect(page.locator("#sent pre")).to_contain_text("no such hook")
        await page.fill("#f-options-url", url)
        await page.get_by_role("button", name="Add channel").click()
        await page.get_by_text("Add a group").click()
        await page.fill("#group-0", "Everybody")
        await page.locator("details[open]").get_by_label("Chat").check()
        await page.get_by_role("button", name="Add group").click()
        await expect(page.locator("#groups")).to_contain_text("Everybody")
        await page.goto("/monitors/1/edit")
        await page.get_by_label("Tell these channels").check()
        await page.locator("#alerts").get_by_label("Everybody group").first.check()
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator(".alerts-part")).to_contain_text("Told at once: Chat")
        await page.goto("/channels")
        await page.get_by_role("button", name="Switch off").click()
        await expect(page.locator(".channel")).to_have_class("card channel is-off")
        await page.get_by_role("link", name="Delete").click()
        await page.get_by_role("button", name="Delete it").click()
        await expect(page.locator("main h2")).to_have_text("Nobody is told yet")


async def test_a_keyboard_is_enough_to_try_a_channel(chromium: Browser, address: str, busy: int) -> None:
    async with visiting(chromium, address) as visit:
        await visit.sign_in()
        page = visit.page
        await page.goto("/channels")
        for _ in range(40):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.textContent") == "Try again":
                break
        await page.keyboard.press("Enter")
        await expect(page.locator("#notice")).to_contain_text("sent again now")
