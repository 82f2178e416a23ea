"""Apprise against servers on loopback, and what of it is off."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import apprise
import pytest
from apprise.manager_plugins import NotificationManager

from pinguin.alerts.channels import apprise as channel
from pinguin.alerts.channels import channel_type
from pinguin.alerts.render import render
from pinguin.alerts.samples import SAMPLES
from pinguin.errors import InvalidInput
from tests.alerts.conftest import Deliver
from tests.alerts.mail_servers import Mailbox, mail_server
from tests.checks.servers import page, recording, serving, silent
from tests.ports import free_port


def body_of(request: bytes) -> bytes:
    return request.partition(b"\r\n\r\n")[2]


async def test_json(deliver: Deliver) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page())) as port:
        outcome = await deliver("apprise", urls=[f"json://127.0.0.1:{port}/x"])
    assert outcome.ok, outcome.answer
    assert outcome.answer.startswith("json: Sent JSON")
    sent, rendered = json.loads(body_of(seen[0])), render(SAMPLES["down"]())
    assert (sent["title"], sent["message"].strip(), sent["type"]) == (
        rendered.subject,
        rendered.text.strip(),
        "failure",
    )


async def test_form_and_the_type_of_a_recovery(deliver: Deliver) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page())) as port:
        outcome = await deliver("apprise", SAMPLES["up"](), urls=[f"form://127.0.0.1:{port}/"])
    assert outcome.ok, outcome.answer
    sent = parse_qs(body_of(seen[0]).decode())
    assert sent["title"] == [render(SAMPLES["up"]()).subject]
    assert sent["type"] == ["success"]


async def test_mail_as_html(deliver: Deliver) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        url = f"mailto://127.0.0.1:{port}/?from=pinguin@example.org&to=ops@example.org&mode=insecure"
        outcome = await deliver("apprise", urls=[url], format="html")
    assert outcome.ok, outcome.answer
    assert mailbox.letters[0]["To"] == "ops@example.org"
    assert b"<table" in mailbox.envelopes[0].content  # type: ignore[operator]


async def test_what_the_service_answered_is_shown(deliver: Deliver) -> None:
    async with serving(recording([], page(b"no", "401 Unauthorized"))) as port:
        outcome = await deliver("apprise", urls=[f"json://127.0.0.1:{port}/"])
    assert (outcome.ok, outcome.permanent) == (False, False)
    assert "1 of 1 did not take it" in outcome.answer
    assert "401" in outcome.answer


async def test_a_refused_connection(deliver: Deliver) -> None:
    outcome = await deliver("apprise", urls=[f"json://127.0.0.1:{free_port()}/"])
    assert not outcome.ok
    assert "json: " in outcome.answer


async def test_where_one_of_two_fails_only_that_one_is_tried_again(deliver: Deliver) -> None:
    good: list[bytes] = []
    bad: list[bytes] = []
    async with (
        serving(recording(good, page())) as one,
        serving(recording(bad, page(b"", "500 Oh"), page())) as two,
    ):
        urls = [f"json://127.0.0.1:{one}/", f"json://127.0.0.1:{two}/"]
        first = await deliver("apprise", urls=urls)
        second = await deliver("apprise", urls=urls)
    assert (first.ok, second.ok) == (False, True)
    assert "1 of 2 did not take it" in first.answer
    assert (len(good), len(bad)) == (1, 2)


async def test_one_that_hangs_is_given_up_and_keeps_no_other_waiting(deliver: Deliver) -> None:
    seen: list[bytes] = []
    async with serving(silent) as stalled, serving(recording(seen, page())) as port:
        hanging = asyncio.ensure_future(
            deliver("apprise", urls=[f"json://127.0.0.1:{stalled}/?rto=60&cto=60"], timeout=1.0)
        )
        assert (await deliver("apprise", urls=[f"json://127.0.0.1:{port}/"])).ok
        outcome = await hanging
    assert (outcome.ok, outcome.unsure) == (False, True)
    assert outcome.answer == "no answer within 1 s (waiting for Apprise)"


async def test_no_secret_is_in_an_answer_or_a_log(
    deliver: Deliver, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """TRAP 24"""
    caplog.set_level(logging.DEBUG)
    urls = [
        f"json://canary-user:canary%40pass@127.0.0.1:{free_port()}/canary-path-1234567/?+X-Token=canary-header",
        "tgram://123456789:AAcanary_bbccddeeffgghhiijjkkllmmnnoo/12315544/",
    ]
    with caplog.at_level(logging.DEBUG):
        outcome = await deliver("apprise", urls=urls[:1])
    assert not outcome.ok
    written = capfd.readouterr()
    urllib3 = [record for record in caplog.records if not record.name.startswith("urllib3")]  # DEBUG, which is never on
    for text in (outcome.answer, written.out, written.err, *(record.getMessage() for record in urllib3)):
        assert "canary" not in text
    assert set(channel.secrets(channel_type("apprise").parse({"urls": urls}))) >= {  # type: ignore[arg-type]
        "canary-user", "canary@pass", "canary-path-1234567", "canary-header", "AAcanary_bbccddeeffgghhiijjkkllmmnnoo",
    }  # fmt: skip


# What can be saved


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("canary-no-url", "is not a URL"),
        ("canary://canary", "not a URL that Apprise understands"),
        ("json://", "is not a URL"),
        ("tgram://canary/", "not a URL that Apprise understands"),
        ("json://127.0.0.1/" + "x" * 2000, "more than 2,000"),
    ],
)
def test_a_bad_url_is_named_by_its_line_and_not_shown(url: str, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        channel_type("apprise").parse({"urls": ["json://127.0.0.1/", url]})
    assert refusal.value.fields["urls"].startswith("line 2 ")
    assert words in refusal.value.fields["urls"]
    written = capfd.readouterr()
    assert "canary" not in str(refusal.value) + written.out + written.err
    assert not logging.getLogger("apprise").propagate  # what it logs goes to us alone


def test_what_acts_on_this_machine_is_off() -> None:
    for name in channel.LOCAL:
        with pytest.raises(InvalidInput, match="the worker's own machine"):
            channel_type("apprise").parse({"urls": [f"{name}://x"]})


def test_no_other_service_of_this_version_acts_on_this_machine() -> None:
    """Read from the library's own source: what speaks to the desktop, to a device or starts programs."""
    manager: Any = NotificationManager()  # type: ignore[no-untyped-call]
    tools = r"^\s*(?:import|from) (subprocess|dbus|gi|ctypes|win32\w*|syslog|usb|hid|PyQt\w*|serial|bluetooth)\b"
    acting = set()
    for schema in manager.schemas():
        source = Path(str(sys.modules[manager[schema].__module__].__file__)).read_text()
        if re.search(tools, source, re.MULTILINE) or "os.system" in source:
            acting.add(schema)
    assert acting == channel.LOCAL


READS = [
    "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?template={}",
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#a?template={}",
    "tgram://123456789:AAbbccddeeffgghhiijjkkllmmnnoopp/12315544/?template={}",
    "fcm://project@apikey/device?keyfile={}",
    "vapid://a@example.org/b@example.org?keyfile={}&subfile={}&mode=firefox",
    "mailto://u:p@127.0.0.1:9/?to=a@example.org&pgp=yes&pgpkey={}",
    "workflows://example.org:443/workflow1a/signature/?template={}",
]


@pytest.mark.parametrize("url", READS, ids=lambda url: url.partition(":")[0])
async def test_no_url_makes_it_read_a_file_or_ask_another_server(url: str, deliver: Deliver, tmp_path: Path) -> None:
    seen: list[bytes] = []
    secret = tmp_path / "canary"
    secret.write_text("{}")
    opened: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event == "open" and str(arguments[0]) == str(secret):
            opened.append(event)

    sys.addaudithook(watch)
    async with serving(recording(seen, page())) as port:
        for place in (str(secret), f"file://{secret}", f"http://127.0.0.1:{port}/template"):
            try:
                apprise_type = channel_type("apprise").parse({"urls": [url.replace("{}", place)]})
            except InvalidInput:
                continue
            assert apprise_type.target()  # the service takes the URL and leaves the parameter alone
            plugin = apprise.Apprise.instantiate(url.replace("{}", place), asset=channel._asset())
            assert plugin is not None
            for attachments in (getattr(plugin, name, None) for name in ("template", "keyfile")):
                assert not attachments or isinstance(attachments, str)
    watching = False
    assert opened == []
    assert seen == []


def test_the_same_urls_without_a_file_are_fine() -> None:
    for url in READS[:3]:
        assert channel_type("apprise").parse({"urls": [url.partition("?")[0]]})


def test_where_it_goes_is_said_without_the_url() -> None:
    options = channel_type("apprise").parse({"urls": ["json://u:p@127.0.0.1/x", "jsons://127.0.0.1/y", "json://h/z"]})
    assert options.target() == "json, jsons"
