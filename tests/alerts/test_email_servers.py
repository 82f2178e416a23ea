"""E-mail through servers that ask for TLS and logins, and through those that stall, hang up or are none."""

from __future__ import annotations

import pytest

from pinguin.alerts.channels import email as channel
from tests.alerts.conftest import Deliver
from tests.alerts.mail_servers import Mailbox, hang_up, mail_server, stall, talking, to
from tests.checks.certificates import house, server
from tests.checks.servers import serving
from tests.ports import free_port

ROOT, MIDDLE, LEAF = house()


async def test_login_over_starttls(deliver: Deliver) -> None:
    mailbox = Mailbox("me", "hunter2")
    tls = server(LEAF, MIDDLE)
    async with mail_server(mailbox, tls_context=tls, require_starttls=True, auth_required=True) as port:
        options = to(port, security="starttls", username="me", password="hunter2", verify_tls=False)
        assert (await deliver("email", **options)).ok
        wrong = await deliver("email", **{**options, "password": "canary-password"})
    assert mailbox.tls == [True]
    assert mailbox.logins
    assert (wrong.ok, wrong.permanent) == (False, True)
    assert "535" in wrong.answer
    assert "canary" not in wrong.answer


async def test_tls_from_the_first_byte(deliver: Deliver) -> None:
    mailbox = Mailbox()
    async with mail_server(mailbox, tls=server(LEAF, MIDDLE)) as port:
        assert (await deliver("email", **to(port, security="tls", verify_tls=False))).ok
        untrusted = await deliver("email", **to(port, security="tls"))
    assert (untrusted.ok, untrusted.permanent, untrusted.unsure) == (False, False, False)
    assert "certificate is not valid" in untrusted.answer
    assert len(mailbox.envelopes) == 1


@pytest.mark.parametrize("verify", [True, False])
async def test_an_untrusted_certificate_after_starttls_gets_no_password(deliver: Deliver, verify: bool) -> None:
    mailbox = Mailbox("me", "hunter2")
    async with mail_server(mailbox, tls_context=server(LEAF, MIDDLE)) as port:
        options = to(port, security="starttls", username="me", password="hunter2", verify_tls=verify)
        outcome = await deliver("email", **options)
    assert outcome.ok is not verify
    assert bool(mailbox.logins) is not verify


async def test_a_server_without_starttls_gets_neither_password_nor_message(deliver: Deliver) -> None:
    seen: list[str] = []
    async with serving(talking({"EHLO": "250-mx\r\n250 AUTH PLAIN"}, seen)) as port:
        outcome = await deliver("email", **to(port, security="starttls", username="me", password="hunter2"))
    assert outcome.permanent
    assert "STARTTLS" in outcome.answer
    assert not any(line.startswith(("AUTH", "MAIL")) for line in seen)


async def test_a_server_that_knows_no_login_is_a_refusal(deliver: Deliver) -> None:
    async with serving(talking({})) as port:
        outcome = await deliver("email", **to(port, username="me", password="hunter2"))
    assert outcome.permanent
    assert "AUTH" in outcome.answer


async def test_a_server_that_repeats_the_login_gives_no_password_away(deliver: Deliver) -> None:
    """TRAP 24"""
    from base64 import b64encode

    sent = b64encode(b"\0me\0canary-password-9").decode()
    answers = {"EHLO": "250-mx\r\n250 AUTH PLAIN", "AUTH": f"535 what is AUTH PLAIN {sent} or canary-password-9?"}
    async with serving(talking(answers)) as port:
        outcome = await deliver("email", **to(port, username="me", password="canary-password-9"))
    assert outcome.answer == "535 what is AUTH PLAIN [secret] or [secret]?"


async def test_a_refused_connection(deliver: Deliver) -> None:
    outcome = await deliver("email", **to(free_port()))
    assert (outcome.permanent, outcome.unsure) == (False, False)
    assert "connection refused" in outcome.answer


@pytest.mark.parametrize(
    ("verb", "unsure", "stage"),
    [
        ("", False, "waiting for the server's greeting"),
        ("MAIL", False, "naming the sender"),
        ("RCPT", False, "naming the recipient ops@example.org"),
        (".", True, "sending the message"),
    ],
)
async def test_a_server_that_stalls_is_given_up_and_the_words_say_where(
    deliver: Deliver, verb: str, unsure: bool, stage: str
) -> None:
    async with serving(talking({verb: stall})) as port:
        outcome = await deliver("email", **to(port), timeout=1.0)
    assert (outcome.ok, outcome.permanent, outcome.unsure) == (False, False, unsure)
    assert outcome.answer == f"no answer within 1 s ({stage})"


@pytest.mark.parametrize(("verb", "unsure"), [("MAIL", False), (".", True)])
async def test_a_connection_that_is_cut(deliver: Deliver, verb: str, unsure: bool) -> None:
    async with serving(talking({verb: hang_up})) as port:
        outcome = await deliver("email", **to(port))
    assert (outcome.ok, outcome.permanent, outcome.unsure) == (False, False, unsure)


async def test_a_server_that_never_says_goodbye_has_taken_the_message(
    deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "GOODBYE_S", 0.1)
    async with serving(talking({"QUIT": stall})) as port:
        assert (await deliver("email", **to(port))).ok


async def test_what_is_no_smtp(deliver: Deliver) -> None:
    async with serving(talking({"": "HTTP/1.1 200 OK"})) as port:
        outcome = await deliver("email", **to(port))
    assert (outcome.ok, outcome.permanent) == (False, False)
