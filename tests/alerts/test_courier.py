"""A delivery ends in its time and says how, whatever a channel kind does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest

from pinguin.alerts import courier as module
from pinguin.alerts.channels import channel_type, channel_types
from pinguin.alerts.contract import (
    PLACE,
    Answer,
    ChannelOptions,
    ChannelType,
    Context,
    Failed,
    Refused,
    Rendered,
)
from pinguin.alerts.courier import Courier
from pinguin.alerts.samples import SAMPLES
from pinguin.errors import InvalidInput
from pinguin.fields import field
from pinguin.secrets import Keys
from pinguin.settings import Settings
from tests.alerts.conftest import tried_by_a_process
from tests.alerts.mail_servers import Mailbox, mail_server
from tests.checks.certificates import house, server
from tests.checks.servers import page, recording, serving

ROOT, MIDDLE, LEAF = house()
Send = Callable[[Any, Rendered, Context], Any]


class Options(ChannelOptions, frozen=True):
    token: Annotated[str, field("Token", secret=True)] = "canary-token"


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Callable[[Send], None]:
    """A channel kind of this test's own, called `odd`."""

    def use(send: Send) -> None:
        made = ModuleType("odd")
        made.TITLE, made.Options, made.send = "Odd", Options, send  # type: ignore[attr-defined]
        odd = ChannelType.of(made)
        monkeypatch.setattr(module, "channel_type", lambda name: odd if name == "odd" else channel_type(name))

    return use


async def tried(courier: Courier, timeout: float = 60.0, **options: Any) -> Any:
    return (await courier.deliver("odd", options, SAMPLES["down"](), timeout=timeout)).outcome


def test_the_kinds_are_found_by_themselves() -> None:
    assert list(channel_types()) == ["apprise", "email", "script", "webhook"]
    with pytest.raises(InvalidInput, match="there are apprise, email"):
        channel_type("pigeon")


async def test_the_words_that_were_sent_come_back(courier: Courier, kind: Any) -> None:
    async def send(_: Any, rendered: Rendered, __: Context) -> Answer:
        return Answer(rendered.subject, 250)

    kind(send)
    delivery = await courier.deliver("odd", {}, SAMPLES["down"](), subject="[x] {{ item.kind }}", body="{{ count }}")
    assert (delivery.subject, delivery.text) == ("[x] down", "1")
    assert (delivery.outcome.ok, delivery.outcome.answer, delivery.outcome.status) == (True, "[x] down", 250)


async def test_one_that_never_ends_is_cut_off(courier: Courier, kind: Any) -> None:
    async def send(_: Any, __: Rendered, context: Context) -> Answer:
        context.stage = "waiting for Godot"
        await asyncio.sleep(3600)
        raise AssertionError

    kind(send)
    outcome = await tried(courier, timeout=0.1)
    assert (outcome.ok, outcome.permanent, outcome.unsure) == (False, False, False)
    assert outcome.answer == "no answer within 0.1 s (waiting for Godot)"


async def test_one_that_does_not_heed_its_cancellation_is_left_behind(
    courier: Courier, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.1)
    free = asyncio.Event()

    async def send(_: Any, __: Rendered, context: Context) -> Answer:
        context.sent = True
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue
        return Answer("too late")

    kind(send)
    outcome = await asyncio.wait_for(tried(courier, timeout=0.1), 60)
    assert (outcome.ok, outcome.unsure) == (False, True)
    free.set()


async def test_a_bug_of_ours_is_no_refusal_and_shows_no_secret(
    courier: Courier, kind: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """TRAP 24"""

    async def send(options: Any, _: Rendered, context: Context) -> Answer:
        context.sent = True
        raise ValueError(f"cannot use {options.token}")

    kind(send)
    outcome = await tried(courier)
    assert (outcome.ok, outcome.permanent, outcome.unsure) == (False, False, True)
    assert outcome.answer == "the channel kind itself failed with ValueError; the log has the details"
    logged = capsys.readouterr()
    assert "channel crashed" in logged.out + logged.err
    assert "canary" not in logged.out + logged.err


async def test_a_bug_in_our_words_loses_no_alert(courier: Courier, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(_: Any, rendered: Rendered, __: Context) -> Answer:
        return Answer(rendered.subject + rendered.text + rendered.html)

    def broken(*_: Any) -> Rendered:
        raise ZeroDivisionError

    kind(send)
    monkeypatch.setattr(module, "render", broken)
    delivery = await courier.deliver("odd", {}, SAMPLES["down"]())
    assert delivery.outcome.ok
    assert delivery.subject.startswith('DOWN shop "front" <door> 2026-01-08T12:00:05+00:00 answered 503')
    assert "&lt;door&gt;" in delivery.outcome.answer


@pytest.mark.parametrize(
    ("error", "permanent", "unsure", "wait"),
    [
        (Refused("gone"), True, False, None),
        (Failed("later", retry_after_s=7.0), False, False, 7.0),
        (Failed(Answer("who knows", 7), unsure=True), False, True, None),
    ],
)
async def test_what_a_kind_raises_is_what_is_said(
    courier: Courier, kind: Any, error: Exception, permanent: bool, unsure: bool, wait: float | None
) -> None:
    async def send(*_: Any) -> Answer:
        raise error

    kind(send)
    outcome = await tried(courier)
    assert (outcome.ok, outcome.permanent, outcome.unsure, outcome.retry_after_s) == (False, permanent, unsure, wait)


@pytest.mark.parametrize("answer", ["x" * 10_000, "canary-token " * 500, "\x00", "y" * 1995 + "canary-token"])
async def test_answers_are_bounded_and_scrubbed(courier: Courier, kind: Any, answer: str) -> None:
    async def send(*_: Any) -> Answer:
        return Answer(answer)

    kind(send)
    outcome = await tried(courier)
    assert len(outcome.answer) <= 2000
    assert "canary" not in outcome.answer
    assert "\x00" not in outcome.answer


async def test_sealed_options_are_opened_on_the_way(courier: Courier, kind: Any, keys: Keys) -> None:
    async def send(options: Any, *_: Any) -> Answer:
        return Answer("right" if options.token == "hunter22" else "wrong")

    kind(send)
    sealed = keys.seal_fields({"token": "hunter22"}, Options, PLACE)
    assert (await tried(courier, **sealed)).answer == "right"
    assert (await tried(courier, token="hunter22")).answer == "right"
    other = Courier(Settings(), Keys("not the same key at all"))
    outcome = (await other.deliver("odd", sealed, SAMPLES["down"]())).outcome
    assert (outcome.ok, outcome.permanent) == (False, False)
    assert "PINGUIN_SECRET_KEY" in outcome.answer


async def test_bad_options_are_a_refusal(courier: Courier) -> None:
    outcome = (await courier.deliver("webhook", {"url": "x"}, SAMPLES["down"]())).outcome
    assert (outcome.ok, outcome.permanent) == (False, True)
    assert "url: must begin with http" in outcome.answer
    assert (await courier.send_test("pigeon", {}, "ops")).permanent


async def test_send_a_test_sends_a_real_message_that_says_so(courier: Courier) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page(b"hi", "201 Created"))) as port:
        outcome = await courier.send_test("webhook", {"url": f"http://127.0.0.1:{port}/"}, "ops", "https://pinguin")
    assert (outcome.ok, outcome.answer) == (True, "201 Created: hi")
    assert outcome.latency_ms > 0
    assert b'"subject":"TEST ops: ' in seen[0]
    assert b'"test":true' in seen[0]


async def test_a_cancelled_delivery_leaves_nothing_running(courier: Courier, kind: Any) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def send(*_: Any) -> Answer:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()
        raise AssertionError

    kind(send)
    task = asyncio.ensure_future(tried(courier))
    await asyncio.wait_for(begun.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(ended.wait(), 60)


async def test_what_is_delivered_in_part_is_remembered_for_some_messages_and_not_for_ever(
    courier: Courier, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 3)
    before: list[set[str]] = []

    async def send(_: Any, rendered: Rendered, context: Context) -> Answer:
        before.append(set(context.delivered))
        context.delivered.add("ada")
        raise Failed("grey")

    kind(send)
    for key in ("a", "a", "b", "c", "d", "a"):
        message = SAMPLES["down"]()
        await courier.deliver(
            "odd", {}, type(message)(key=key, channel="c", items=message.items, sent_at=message.sent_at)
        )
    assert before == [set(), {"ada"}, set(), set(), set(), set()]


async def test_every_kind_delivers_on_the_event_loop_of_a_worker(scripts: Path) -> None:
    (scripts / "notify").write_text("#!/bin/sh\nwc -c\n")
    (scripts / "notify").chmod(0o755)
    mailbox = Mailbox("me", "hunter22")
    async with (
        serving(recording([], page())) as http,
        serving(recording([], page()), server(LEAF, MIDDLE)) as https,
        mail_server(mailbox, tls_context=server(LEAF, MIDDLE), require_starttls=True, auth_required=True) as smtp,
        mail_server(mailbox, tls=server(LEAF, MIDDLE), auth_require_tls=False) as smtps,
    ):
        mail = {
            "host": "127.0.0.1",
            "sender": "a@example.org",
            "to": ["b@example.org"],
            "username": "me",
            "password": "hunter22",
            "verify_tls": False,
        }
        tries: list[tuple[str, dict[str, Any]]] = [
            ("webhook", {"url": f"http://localhost:{http}/"}),
            ("webhook", {"url": f"https://127.0.0.1:{https}/", "verify_tls": False}),
            ("email", {**mail, "port": smtp, "security": "starttls"}),
            ("email", {**mail, "port": smtps, "security": "tls"}),
            ("script", {"program": "notify"}),
            ("apprise", {"urls": [f"json://127.0.0.1:{http}/"]}),
        ]
        written = await tried_by_a_process(tries, "a key of the tests alone", scripts)
    assert written.count("Outcome(ok=True") == 2 * len(tries), written
