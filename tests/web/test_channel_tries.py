"""Channels and templates that are tried before anybody relies on them."""

from __future__ import annotations

from pinguin.db import Pool
from tests.factory import fetch
from tests.web.channel_forms import EMAIL, WEBHOOK, answering, base
from tests.web.conftest import Client


async def test_a_test_shows_the_real_answer(client: Client, pool: Pool) -> None:
    for status, words in (("200 OK", "Delivered"), ("503 Busy", "Not delivered"), ("410 Gone", "Refused")):
        async with answering(status, "the <b>words</b> of hunter2") as (url, heard):
            sent = {**WEBHOOK, "name": "", "options.url": url + "?key=hunter2"}
            answer = await client.submit("/channels/test", sent, headers={"HX-Request": "true"})
            assert answer.status_code == 200
            assert "<html" not in answer.text
            assert words in answer.text
            assert f"status <b>{status[:3]}</b>" in answer.text
            assert "the &lt;b&gt;words&lt;/b&gt;" in answer.text
            assert " ms</b>" in answer.text
            whole = await client.submit("/channels/test", sent)
            assert "<html" in whole.text
            assert words in whole.text
            assert len(heard) == 2
            assert b"test" in heard[0]
    assert await fetch(pool, "select 1 from channels") == []


async def test_a_saved_channel_is_tried_with_its_secrets(client: Client, pool: Pool) -> None:
    async with answering("200 OK", "thanks") as (url, heard):
        await client.submit("/channels/new", {**WEBHOOK, "options.url": url + "?key=hunter2"})
        answer = await client.submit("/channels/1/test", headers={"HX-Request": "true"})
        assert "Delivered" in answer.text
        assert b"key=hunter2" in heard[0]
        assert "Delivered" in (await client.submit("/channels/1/test")).text
        kept = {**WEBHOOK, **await base(client, 1), "options.url": ""}
        assert "Delivered" in (await client.submit("/channels/test", kept)).text
        assert b"key=hunter2" in heard[2]
    assert (await client.submit("/channels/9/test")).status_code == 404
    assert (await client.submit("/channels/test", {**WEBHOOK, "channel": "x"})).status_code == 404


async def test_a_try_with_mistakes_names_them(client: Client) -> None:
    answer = await client.submit("/channels/test", {**EMAIL, "options.port": "x"}, headers={"HX-Request": "true"})
    assert "The test was not sent" in answer.text
    assert "Port must be a whole number" in answer.text


async def test_templates_are_previewed(client: Client) -> None:
    sent = {**EMAIL, "subject_template": "{{ count }} at once", "body_template": "<i>{{ item.kind }}</i>"}
    for sample, words in (("down", "1 at once"), ("digest", "53 at once"), ("up", "&lt;i&gt;up"), ("<x>", "1 at once")):
        answer = await client.submit("/channels/preview", {**sent, "sample": sample}, headers={"HX-Request": "true"})
        assert words in answer.text, sample
        assert "<html" not in answer.text
    answer = await client.submit("/channels/preview", {**sent, "subject_template": "{{ count"})
    assert "<html" in answer.text
    assert "Subject: line 1" in answer.text
    assert "&lt;i&gt;down" in answer.text
    assert "hunter2" not in answer.text
