"""Where channels may not connect to: 127.0.0.1 is allowed here, 127.0.0.2 is not, and there is a server on it."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator

import pytest

from pinguin.alerts.courier import Courier
from pinguin.alerts.guarded import guarded
from pinguin.alerts.samples import SAMPLES
from pinguin.guard import Guard
from pinguin.secrets import Keys
from pinguin.settings import Settings
from tests.alerts.conftest import Deliver
from tests.alerts.mail_servers import Mailbox, mail_server
from tests.checks.servers import page, recording, serving


@pytest.fixture
async def courier(keys: Keys) -> AsyncIterator[Courier]:
    made = Courier(Settings(private_targets="deny", private_networks="127.0.0.1"), keys)
    yield made
    await made.close()


@pytest.fixture
async def secret() -> AsyncIterator[tuple[int, list[bytes]]]:
    asked: list[bytes] = []
    async with serving(recording(asked, page(b"secret")), host="127.0.0.2") as port:
        yield port, asked


async def test_no_webhook_goes_there(deliver: Deliver, secret: tuple[int, list[bytes]]) -> None:
    port, asked = secret
    for host in ("127.0.0.2", "2130706434", "127.2"):
        outcome = await deliver("webhook", url=f"http://{host}:{port}/")
        assert (outcome.ok, outcome.permanent) == (False, False)
        assert "leads to a private address" in outcome.answer
    assert not asked


async def test_no_redirect_of_a_webhook_leads_there(deliver: Deliver, secret: tuple[int, list[bytes]]) -> None:
    port, asked = secret
    onward = page(b"", "307 Temporary Redirect", f"Location: http://127.0.0.2:{port}/\r\n")
    async with serving(recording([], onward)) as own:
        assert not (await deliver("webhook", url=f"http://127.0.0.1:{own}/")).ok
    assert not asked


async def test_no_mail_server_there_is_asked(deliver: Deliver, secret: tuple[int, list[bytes]]) -> None:
    mail = {"security": "none", "sender": "a@example.org", "to": ["b@example.org"]}
    outcome = await deliver("email", host="127.0.0.2", port=secret[0], **mail)
    assert "leads to a private address" in outcome.answer
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        assert (await deliver("email", host="127.0.0.1", port=port, **mail)).ok


@pytest.mark.parametrize("schema", ["json", "form", "xml", "ntfy", "mailto"])
async def test_apprise_connects_to_nothing_there(
    deliver: Deliver, secret: tuple[int, list[bytes]], schema: str
) -> None:
    port, asked = secret
    more = "?from=a@example.org&to=b@example.org&mode=insecure" if schema == "mailto" else ""
    path = "topic" if schema == "ntfy" else ""
    outcome = await deliver("apprise", urls=[f"{schema}://127.0.0.2:{port}/{path}{more}"])
    assert not outcome.ok
    assert "127.0.0.2 leads to a private address" in outcome.answer
    assert not asked


async def test_apprise_goes_where_it_may(deliver: Deliver) -> None:
    seen: list[bytes] = []
    async with serving(recording(seen, page())) as port:
        assert (await deliver("apprise", SAMPLES["up"](), urls=[f"json://127.0.0.1:{port}/"])).ok
    assert seen


def test_a_thread_is_guarded_for_as_long_as_it_is_said_and_others_are_not() -> None:
    deny = Guard(deny=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with guarded(deny) as refusals:
            for place in (("127.0.0.2", 9), ("localhost", 9), ("", 9)):
                with pytest.raises(PermissionError):
                    sock.connect(place)
                with pytest.raises(PermissionError):
                    sock.sendto(b"x", place)
            assert len(refusals) == 6
            other = threading.Thread(target=sock.connect, args=(("127.0.0.2", 9),))
            other.start()
            other.join()
        sock.connect(("127.0.0.2", 9))
