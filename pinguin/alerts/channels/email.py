"""E-mail over SMTP, as HTML and as plain text.

The messages of one incident are one thread in mail clients, and a message that had to be sent twice has the same
Message-ID both times. A recipient whom the server refuses is named in the answer; the others get theirs. Where it asks
to try one of them later (greylisting), only that one is tried again.

Answers from 500 on end the tries and mark the channel broken, unless some recipient was accepted; answers from 400 on,
a refused connection and no answer in time are tried again. Where it is the message itself that is refused (too large,
taken for spam), that message alone is given up, and only a third in a row marks the channel broken.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Literal

from aiosmtplib import SMTP, SMTPException, SMTPNotSupported, SMTPRecipientRefused, SMTPResponseException
from msgspec import Meta

from pinguin.alerts.contract import Answer, ChannelOptions, Context, Failed, NotDelivered, Refused, Rendered
from pinguin.alerts.mail import composed, is_host, parsed, wrong_address
from pinguin.alerts.reach import cause, connected, reason, tls_context
from pinguin.alerts.words import one_line
from pinguin.errors import InvalidInput
from pinguin.fields import Examples, field

TITLE = "E-mail"

PORTS = {"starttls": 587, "tls": 465, "none": 25}
GOODBYE_S = 1.0

EXAMPLES: Examples = (
    (
        "A mail account of your own:",
        {
            "host": "smtp.example.org",
            "username": "pinguin",
            "password": "a password",
            "sender": "Pinguin <pinguin@example.org>",
            "to": ["ops@example.org", "Ada <ada@example.org>"],
        },
    ),
    (
        "A relay on this network that asks for nothing:",
        {"host": "192.0.2.25", "security": "none", "sender": "pinguin@example.org", "to": ["ops@example.org"]},
    ),
)


class Options(ChannelOptions, frozen=True):
    host: Annotated[str, field("Server", "A name or an address.", min_length=1, max_length=253)]
    sender: Annotated[
        str, field("From", "An address, or a name and an address.", placeholder="Pinguin <pinguin@example.org>")
    ]
    to: Annotated[list[str], field("To", "One address a line.", min_length=1, max_length=50)]
    security: Annotated[
        Literal["starttls", "tls", "none"],
        field("Encryption", "none sends everything in the clear, the password too."),
    ] = "starttls"
    port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None,
        field("Port", "Empty: 587 for starttls, 465 for tls, 25 for none."),
    ] = None
    username: Annotated[str, field("User", "Empty: no login.", max_length=300)] = ""
    password: Annotated[str, field("Password", "", secret=True, max_length=1000)] = ""
    verify_tls: Annotated[bool, field("Verify the certificate", "Off: any certificate will do.", advanced=True)] = True

    def __post_init__(self) -> None:
        InvalidInput.raise_for(_faults(self))

    def goes_to(self) -> Sequence[str]:
        anybody = [] if self.verify_tls else ["any certificate"]
        secured = ["in the clear"] if self.security == "none" else []
        return [f"{self.host}:{self.port or PORTS[self.security]}", *secured, *anybody]

    def target(self) -> str:
        more = len(self.to) - 1
        return parsed(self.to[0]).addr_spec + (f" and {more} more" if more else "")


async def send(options: Options, rendered: Rendered, context: Context) -> Answer:
    """Raises `Refused`, `Failed`."""
    try:
        async with _session(options, rendered, context) as client:
            return await _transaction(client, options, rendered, context)
    except NotDelivered:
        raise
    except SMTPNotSupported as error:
        raise Refused(f"the server cannot do it: {one_line(str(error), 300)}") from None
    except SMTPResponseException as error:
        raise _failure(error, alone=context.sent) from None
    except (SMTPException, OSError) as error:  # a connection that is cut, or an answer that is none
        below = cause(error)
        words = one_line(str(error), 300) if below is error and str(error) else reason(below)
        raise Failed(f"{context.stage}: {words}", unsure=context.sent) from None


@asynccontextmanager
async def _session(options: Options, rendered: Rendered, context: Context) -> AsyncIterator[SMTP]:
    """A client that is through with TLS and login."""
    sock = await connected(options.host, options.port or PORTS[options.security], rendered, context)
    tls = None if options.security == "none" else tls_context(options.verify_tls)
    client = SMTP(
        hostname=options.host,
        sock=sock,
        local_hostname=_own_name(sock),
        timeout=context.timeout,
        use_tls=options.security == "tls",
        start_tls=False,
        tls_context=tls if options.security == "tls" else None,
    )
    context.stage = "waiting for the server's greeting"
    try:
        await client.connect()  # from here on the socket is its own to close
        await client.ehlo()
        if options.security == "starttls":
            await _begin_tls(client, options, context, tls)
        if options.username:
            await _log_in(client, options, context)
        yield client
        with suppress(SMTPException, OSError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await client.quit()
    finally:
        client.close()


async def _begin_tls(client: SMTP, options: Options, context: Context, tls: ssl.SSLContext | None) -> None:
    if not client.supports_extension("starttls"):
        raise Refused("the server knows no STARTTLS; choose tls, or none")
    context.stage = "beginning TLS"
    await client.starttls(server_hostname=options.host, tls_context=tls)
    await client.ehlo()


async def _log_in(client: SMTP, options: Options, context: Context) -> None:
    if not client.supports_extension("auth"):
        without = "; perhaps it does with encryption" if options.security == "none" else ""
        raise Refused(f"the server knows no login (AUTH){without}")
    context.stage = "logging in"
    await client.login(options.username, options.password)


async def _transaction(client: SMTP, options: Options, rendered: Rendered, context: Context) -> Answer:
    sender = parsed(options.sender).addr_spec
    left = [address for address in _recipients(options) if address not in context.delivered]
    utf8 = not all(address.isascii() for address in (sender, *left))
    encoding = "utf-8" if utf8 else "ascii"
    context.stage = "naming the sender"
    if utf8 and not client.supports_extension("smtputf8"):
        raise Refused("the server takes no addresses with other letters than ASCII (SMTPUTF8)")
    await client.mail(sender, options=["SMTPUTF8"] if utf8 else [], encoding=encoding)
    accepted, refusals = await _name_recipients(client, left, encoding, context)
    if not accepted:
        raise _none_accepted(refusals)
    context.sent, context.stage = True, "sending the message"
    response = await client.data(composed(options.sender, options.to, rendered, utf8=utf8))
    context.delivered.update(accepted)
    answer = Answer(f"{response.code} {one_line(response.message, 500)}{_named(refusals)}", response.code)
    if any(error.code < 500 for error in refusals):
        raise Failed(answer)
    return answer


async def _name_recipients(
    client: SMTP, recipients: list[str], encoding: str, context: Context
) -> tuple[list[str], list[SMTPRecipientRefused]]:
    accepted, refusals = [], []
    for recipient in recipients:
        context.stage = f"naming the recipient {recipient}"
        try:
            await client.rcpt(recipient, encoding=encoding)
            accepted.append(recipient)
        except SMTPRecipientRefused as error:
            if error.code == 421:  # it hangs up
                raise
            refusals.append(error)
    return accepted, refusals


def _none_accepted(refusals: list[SMTPRecipientRefused]) -> NotDelivered:
    answer = Answer(f"no recipient was accepted{_named(refusals)}", max(error.code for error in refusals))
    return Refused(answer) if all(error.code >= 500 for error in refusals) else Failed(answer)


def _named(refusals: list[SMTPRecipientRefused]) -> str:
    return "".join(f"; {error.recipient}: {error.code} {one_line(error.message, 200)}" for error in refusals)


def _failure(error: SMTPResponseException, *, alone: bool) -> NotDelivered:
    answer = Answer(f"{error.code} {one_line(error.message, 500)}", error.code)
    return Refused(answer, alone=alone) if error.code >= 500 else Failed(answer)


def _recipients(options: Options) -> list[str]:
    return list(dict.fromkeys(parsed(address).addr_spec for address in options.to))


def _own_name(sock: socket.socket) -> str:
    """What we call ourselves: the machine's full name, or the address from which the server sees us. No look-up."""
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name
    host = str(sock.getsockname()[0])
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]"


def secrets(options: Options) -> Iterable[str]:
    """The password as AUTH sends it."""
    if options.password:
        user, password = options.username.encode(), options.password.encode()
        yield from (b64encode(each).decode() for each in (password, b"\0" + user + b"\0" + password))


def _faults(options: Options) -> Iterator[tuple[str, str | None]]:
    yield "host", "must be a name or an address" if not is_host(options.host) else None
    yield "sender", wrong_address(options.sender)
    for address in options.to:
        if wrong := wrong_address(address):
            yield "to", f"{address[:60]!r} {wrong}"
    yield "username", "is required where there is a password" if options.password and not options.username else None
    yield "password", "is required where there is a user" if options.username and not options.password else None
