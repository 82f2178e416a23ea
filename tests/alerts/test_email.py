"""E-mail against real servers: what arrives, threads, recipients, options."""

from __future__ import annotations

import email.utils
from datetime import UTC
from email.message import EmailMessage
from typing import Any

import msgspec
import pytest

from pinguin.alerts.channels import channel_type
from pinguin.alerts.contract import Message
from pinguin.alerts.mail import composed, parsed
from pinguin.alerts.render import render
from pinguin.alerts.samples import SAMPLES, digest
from pinguin.errors import InvalidInput
from tests.alerts.conftest import Deliver
from tests.alerts.mail_servers import Mailbox, mail_server, talking, to
from tests.checks.servers import serving


async def arrived(deliver: Deliver, message: Message | None = None, **options: Any) -> EmailMessage:
    mailbox = Mailbox()
    async with mail_server(mailbox, enable_SMTPUTF8=True) as port:
        outcome = await deliver("email", message, **to(port, **options))
    assert outcome.ok, outcome.answer
    return mailbox.letters[0]


async def test_text_and_html_arrive_as_they_were_made(deliver: Deliver) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        outcome = await deliver("email", **to(port, to=["ops@example.org", "Ada <ada@example.org>"]))
    assert (outcome.ok, outcome.status, outcome.answer) == (True, 250, "250 2.0.0 queued as 42")
    letter, rendered = mailbox.letters[0], render(SAMPLES["down"]())
    assert mailbox.envelopes[0].mail_from == "pinguin@example.org"
    assert mailbox.envelopes[0].rcpt_tos == ["ops@example.org", "ada@example.org"]
    assert letter["From"] == "Pinguin <pinguin@example.org>"
    assert letter["To"] == "ops@example.org, Ada <ada@example.org>"
    assert letter["Subject"] == rendered.subject
    assert letter.get_content_type() == "multipart/alternative"
    text, html = letter.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert text.get_content().replace("\r\n", "\n") == rendered.text
    assert html.get_content().replace("\r\n", "\n") == rendered.html
    assert all(len(line) <= 998 and line.isascii() for line in (mailbox.envelopes[0].content or b"").splitlines())


async def test_headers_say_what_it_is(deliver: Deliver) -> None:
    letter = await arrived(deliver)
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["List-Id"] == "<pinguin-alerts.example.org>"
    assert email.utils.parsedate_to_datetime(letter["Date"]).astimezone(UTC) == SAMPLES["down"]().sent_at
    assert letter["MIME-Version"] == "1.0"


async def test_a_message_that_is_sent_twice_has_one_id_and_another_one_has_another(deliver: Deliver) -> None:
    first, again = await arrived(deliver), await arrived(deliver)
    assert first["Message-ID"] == again["Message-ID"]
    other = await arrived(deliver, msgspec.structs.replace(SAMPLES["down"](), key="another"))
    assert other["Message-ID"] != first["Message-ID"]


async def test_down_reminder_and_up_of_one_incident_are_one_thread(deliver: Deliver) -> None:
    threads = {(await arrived(deliver, SAMPLES[kind]()))["References"] for kind in ("down", "reminder", "up")}
    assert len(threads) == 1
    assert threads.pop().startswith("<incident-41.")
    assert (await arrived(deliver, SAMPLES["certificate"]()))["References"] is None
    both = [SAMPLES["down"]().item, msgspec.structs.replace(SAMPLES["down"]().item, incident_id=42)]
    assert (await arrived(deliver, msgspec.structs.replace(SAMPLES["down"](), items=both)))["References"] is None


@pytest.mark.parametrize(
    "name", ["a\r\nBcc: evil@example.org", "a\nX: y", "zwölf 🐧", "x" * 3000, "=?utf-8?q?x?=", "\x00"]
)
async def test_no_name_becomes_a_header(deliver: Deliver, name: str) -> None:
    item = msgspec.structs.replace(SAMPLES["down"]().item, monitor=name, message=name, tags=[name])
    letter = await arrived(deliver, msgspec.structs.replace(SAMPLES["down"](), items=[item], channel=name))
    assert set(letter.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "List-Id", "Auto-Submitted",
        "X-Auto-Response-Suppress", "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert letter["Subject"].startswith("DOWN")
    assert "zwölf 🐧" not in name or "zwölf 🐧" in letter["Subject"]


async def test_a_digest_of_a_thousand_goes_through(deliver: Deliver) -> None:
    letter = await arrived(deliver, digest(1000))
    assert letter["Subject"].startswith("1000 DOWN, 3 UP")


async def test_addresses_in_other_letters_need_a_server_that_takes_them(deliver: Deliver) -> None:
    options: dict[str, Any] = {"to": ["jürgen@bücher.example"], "sender": "pinguin@bücher.example"}
    letter = await arrived(deliver, **options)
    assert letter["To"] == "jürgen@bücher.example"
    assert letter["Message-ID"].endswith("@xn--bcher-kva.example>")
    async with mail_server(Mailbox()) as port:
        outcome = await deliver("email", **to(port, **options))
    assert outcome.permanent
    assert "SMTPUTF8" in outcome.answer


# Recipients


async def test_a_recipient_who_is_refused_is_named_and_the_others_get_theirs(deliver: Deliver) -> None:
    mailbox = Mailbox(refusals={"gone@example.org": "550 5.1.1 no such user"})
    async with mail_server(mailbox) as port:
        outcome = await deliver("email", **to(port, to=["gone@example.org", "ops@example.org"]))
    assert outcome.ok
    assert outcome.answer == "250 2.0.0 queued as 42; gone@example.org: 550 5.1.1 no such user"
    assert mailbox.envelopes[0].rcpt_tos == ["ops@example.org"]


async def test_a_recipient_for_later_is_tried_again_and_alone(deliver: Deliver) -> None:
    mailbox = Mailbox(refusals={"grey@example.org": "450 4.2.0 greylisted"})
    async with mail_server(mailbox) as port:
        options = to(port, to=["grey@example.org", "ops@example.org"])
        first = await deliver("email", **options)
        mailbox.refusals = {}
        second = await deliver("email", **options)
    assert (first.ok, first.permanent, second.ok) == (False, False, True)
    assert "grey@example.org: 450 4.2.0 greylisted" in first.answer
    assert [each.rcpt_tos for each in mailbox.envelopes] == [["ops@example.org"], ["grey@example.org"]]
    assert mailbox.letters[0]["Message-ID"] == mailbox.letters[1]["Message-ID"]


@pytest.mark.parametrize(("code", "permanent"), [("550 5.1.1 no", True), ("451 4.3.0 later", False)])
async def test_no_recipient_at_all(deliver: Deliver, code: str, permanent: bool) -> None:
    mailbox = Mailbox(refusals={"ops@example.org": code})
    async with mail_server(mailbox) as port:
        outcome = await deliver("email", **to(port))
    assert (outcome.ok, outcome.permanent, outcome.unsure) == (False, permanent, False)
    assert "no recipient was accepted; ops@example.org: " + code in outcome.answer
    assert mailbox.envelopes == []


@pytest.mark.parametrize(
    ("verb", "answer", "permanent"),
    [
        ("", "554 no service for you", True),
        ("", "421 too busy", False),
        ("MAIL", "550 no such sender", True),
        ("MAIL", "451 later", False),
        ("RCPT", "421 closing", False),
        ("DATA", "554 no", True),
        (".", "552 too large", True),
        (".", "451 disk full", False),
    ],
)
async def test_codes_from_500_end_the_tries_and_from_400_do_not(
    deliver: Deliver, verb: str, answer: str, permanent: bool
) -> None:
    async with serving(talking({verb: answer})) as port:
        outcome = await deliver("email", **to(port))
    assert (outcome.ok, outcome.permanent, outcome.unsure) == (False, permanent, False)
    assert answer in outcome.answer
    assert outcome.status == int(answer[:3])
    assert outcome.alone is (permanent and verb in ("DATA", "."))  # another message may be taken


# Options


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"to": []}, "to"),
        ({"to": ["nobody"]}, "to"),
        ({"to": ["a@b.de\r\nRCPT TO:<evil@c.de>"]}, "to"),
        ({"to": ["a b@c.de"]}, "to"),
        ({"to": ["a@b..de"]}, "to"),
        ({"to": ["<a@b.de>, <c@d.de>"]}, "to"),
        ({"sender": "Pinguin"}, "sender"),
        ({"sender": "Pin\nguin <a@b.de>"}, "sender"),
        ({"host": "smtp example"}, "host"),
        ({"host": "smtp.example.org\r\n"}, "host"),
        ({"port": 0}, "port"),
        ({"password": "x"}, "username"),
        ({"username": "x"}, "password"),
        ({"security": "ssl"}, "security"),
    ],
)
def test_bad_options_name_their_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        channel_type("email").parse(to(25, **changes))
    assert list(refusal.value.fields) == [field]


def test_addresses() -> None:
    assert str(parsed(' "Ada L." <ada+x@example.org> ')) == '"Ada L." <ada+x@example.org>'
    assert parsed("ada@[192.0.2.1]").domain == "[192.0.2.1]"
    assert channel_type("email").parse(to(25, to=["A <a@b.de>", "c@d.de"])).target() == "a@b.de and 1 more"


def test_a_letter_never_holds_a_line_that_servers_refuse() -> None:
    long = msgspec.structs.replace(SAMPLES["down"]().item, message="\u2028x" * 5000, monitor="\ud800")
    letter = composed(
        "a@b.de", ["c@d.de"], render(msgspec.structs.replace(SAMPLES["down"](), items=[long])), utf8=False
    )
    assert max(map(len, letter.splitlines())) <= 998
