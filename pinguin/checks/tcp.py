"""Connects to a TCP port, in TLS where asked to, and sends texts and waits for others.

The latency is the time from the start of the look-up to the connection, or to the end of the TLS handshake, or to the
last byte that was needed where the check waits for a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from pinguin.checks.common import (
    Authorities,
    CertificateDays,
    ClientCertificate,
    ClientKey,
    Host,
    IpVersion,
    Port,
    ServerName,
    SlowMs,
    TlsMinimum,
    VerifyTls,
    wrong_tls,
)
from pinguin.checks.contract import CheckOptions, Context, Outcome
from pinguin.checks.engine import starttls
from pinguin.checks.engine.dial import dial
from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.resolve import with_port
from pinguin.checks.engine.script import SECRET, Step, Talk, as_bytes
from pinguin.checks.engine.secure import Demand, Secured, secure
from pinguin.checks.engine.stopwatch import Stopwatch, in_words
from pinguin.checks.engine.wire import Wire
from pinguin.checks.verdict import soon_over, too_slow, wrong_host
from pinguin.errors import InvalidInput
from pinguin.fields import Examples, field

__all__ = ["TITLE", "Options", "as_bytes", "check"]

TITLE = "TCP port"

EXAMPLES: Examples = [
    ("A port that accepts connections.", {"host": "db.example.org", "port": 5432}),
    ("A mail server that greets, over STARTTLS.", {"host": "mail.example.org", "port": 587, "tls": "smtp"}),
    (
        "A Redis server with a password, in TLS, a step at a time.",
        {
            "host": "redis.example.org",
            "port": 6380,
            "tls": "direct",
            "steps": [r"send AUTH {secret}\r\n", "starts +OK", r"send PING\r\n", r"matches ^\r\n\+PONG"],
            "secret": "correct horse",
        },
    ),
]


class Options(CheckOptions, frozen=True):
    host: Host
    port: Port
    tls: Annotated[
        Literal["no", "direct", "smtp", "imap", "pop3", "ftp", "postgres", "ldap"],
        field("TLS", "direct: from the first byte. The others: asked for as that protocol does it (STARTTLS)."),
    ] = "no"
    send: Annotated[
        str,
        field(
            "Send", r"Sent after connecting. \r, \n, \t, \\ and \x00 stand for bytes.", advanced=True, max_length=4000
        ),
    ] = ""
    expect: Annotated[
        str,
        field(
            "Expect",
            "A text that the answer must contain, written like the one to send.",
            advanced=True,
            max_length=1000,
        ),
    ] = ""
    steps: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=4000)]],
        field(
            "Steps",
            "A longer talk, instead of the two above, a step a line: `send TEXT`; `expect TEXT` (the answer contains "
            "it), `starts TEXT` (the answer begins with it), `matches PATTERN` (a regular expression, RE2). Each goes "
            "on behind what the one before has found.",
            advanced=True,
            max_length=50,
        ),
    ] = msgspec.field(default_factory=list)
    secret: Annotated[
        str,
        field(
            "Secret", f"Stands for {SECRET} in what is sent; never shown.", secret=True, advanced=True, max_length=500
        ),
    ] = ""
    slow_ms: SlowMs = 0
    certificate_days: CertificateDays = 14
    verify_tls: VerifyTls = True
    ca_certificates: Authorities = ""
    server_name: ServerName = ""
    tls_minimum: TlsMinimum = "1.2"
    client_certificate: ClientCertificate = ""
    client_key: ClientKey = ""
    ip_version: IpVersion = "any"

    def __post_init__(self) -> None:
        wrong = {
            "host": wrong_host(self.host),
            "steps": self._wrong_steps(),
            "secret": self._wrong_secret(),
            **wrong_tls(self),
        }
        InvalidInput.raise_for(wrong.items())

    def target(self) -> str:
        return with_port(self.host, self.port)

    def goes_to(self) -> Sequence[str]:
        secured = [] if self.tls != "no" else ["in the clear"]
        return [self.target(), *secured, *([] if self.verify_tls else ["any certificate"])]

    def script(self) -> list[Step]:
        if self.steps:
            return [Step.parse(line) for line in self.steps]
        both = (("send", self.send), ("expect", self.expect))
        return [Step(verb, words) for verb, words in both if words]  # type: ignore[arg-type]

    def _wrong_steps(self) -> str | None:
        if self.steps and (self.send or self.expect):
            return "take the place of `send` and `expect`: leave those empty"
        try:
            self.script()
        except ValueError as error:
            return str(error)
        return None

    def _wrong_secret(self) -> str | None:
        sent = [self.send, *(line for line in self.steps if line.strip().startswith("send"))]
        used = any(SECRET in words for words in sent)
        if used and not self.secret:
            return f"is required: it is what {SECRET} stands for in what is sent"
        if self.secret and not used:
            return f"is sent nowhere: write {SECRET} where it is to be sent, or leave it empty"
        return None


async def check(options: Options, context: Context) -> Outcome:
    watch = Stopwatch(context)
    wire = await dial(options.host, options.port, options.ip_version, context, watch)
    try:
        script = options.script()
        secured = await _encrypt(wire, options, context, watch)
        talk = Talk(wire, watch, context.evidence, options.secret)
        if secured:
            talk.take(secured.early)
        await talk.run(script)
    except OSError as error:
        raise failure_of(error, str(wire.address), in_words(watch.total_ms())) from None
    finally:
        wire.close()
    latency = secured.took_ms if secured and not script else watch.total_ms()
    ending = soon_over(secured.chain, options.certificate_days) if secured else None
    return Outcome(latency, degraded=ending or too_slow(latency, options.slow_ms))


async def _encrypt(wire: Wire, options: Options, context: Context, watch: Stopwatch) -> Secured | None:
    if options.tls == "no":
        return None
    if options.tls != "direct":
        await starttls.start(options.tls, wire, watch)
    demand = Demand(
        verify=options.verify_tls,
        authorities=options.ca_certificates,
        least=options.tls_minimum,
        client_certificate=options.client_certificate,
        client_key=options.client_key,
    )
    return await secure(wire, options.server_name or options.host, demand, context, watch)
