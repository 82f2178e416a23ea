"""SMTP servers on loopback: an honest one (aiosmtpd), and scripted ones that stall, reset or lie."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests import listening
from tests.checks.servers import Handler
from tests.ports import free_port


@dataclass
class Mailbox:
    """What came, and how the server answers. refusals: the answer to RCPT for an address; data: to the message."""

    user: str = ""
    password: str = ""
    refusals: dict[str, str] = field(default_factory=dict)
    data: str = "250 2.0.0 queued as 42"
    envelopes: list[Envelope] = field(default_factory=list)
    tls: list[bool] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    @property
    def letters(self) -> list[EmailMessage]:
        found = [message_from_bytes(each.content, policy=default) for each in self.envelopes]  # type: ignore[arg-type]
        return [each for each in found if isinstance(each, EmailMessage)]

    async def handle_RCPT(  # noqa: N802 -- as the library names it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        self.tls.append(session.ssl is not None)
        return self.data

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        self.logins.append(mechanism)
        good = (data.login, data.password) == (self.user.encode(), self.password.encode())
        return AuthResult(success=good, handled=good or False, message=None if good else "535 5.7.8 wrong password")


@asynccontextmanager
async def mail_server(mailbox: Mailbox, *, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[int]:
    """An honest server; gives its port. tls: from the first byte. options: aiosmtpd's own."""
    loop, made = asyncio.get_running_loop(), []

    def one() -> SMTP:
        if mailbox.user:
            options.setdefault("authenticator", mailbox.authenticate)
        made.append(SMTP(mailbox, hostname="mx.example.test", **options))
        return made[-1]

    server = await loop.create_server(one, "127.0.0.1", free_port(), ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        await listening.close(server)
        for each in made:
            if each.transport is not None:
                each.transport.close()
        await server.wait_closed()
        await asyncio.sleep(0)


Answer = str | Callable[[asyncio.StreamWriter], Any]


def talking(answers: Mapping[str, Answer], seen: list[str] | None = None) -> Handler:
    """A server that answers each verb (`EHLO`, `DATA`, and `.` for the message's end) as it is told, else with 250."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _say(writer, answers.get("", "220 mx.example.test ESMTP"))
        while line := await reader.readline():
            verb = line.split()[0].decode("latin-1").upper() if line.split() else ""
            if seen is not None:
                seen.append(line.decode("latin-1").strip())
            await _say(writer, answers.get(verb, "354 go on" if verb == "DATA" else "250 OK"))
            if verb == "DATA" and not callable(answers.get("DATA")) and str(answers.get("DATA", "3")).startswith("3"):
                await reader.readuntil(b"\r\n.\r\n")
                await _say(writer, answers.get(".", "250 queued"))
            if verb == "QUIT":
                return

    return handler


async def _say(writer: asyncio.StreamWriter, answer: Answer) -> None:
    if callable(answer):
        await answer(writer)
        return
    writer.write(answer.encode() + b"\r\n")
    await writer.drain()


async def stall(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def to(port: int, /, **changes: Any) -> dict[str, Any]:
    """The options of a channel that sends to a server on that port."""
    return {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "Pinguin <pinguin@example.org>",
        "to": ["ops@example.org"],
        **changes,
    }
