"""How each protocol is asked, in the clear, to go on in TLS. One small function a protocol.

Answers are read line by line, never further: what a server sends in the clear behind its "go ahead" would be taken
for a part of the protected talk, so it is refused (the STARTTLS injection of CVE-2011-0411).
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from typing import Literal

from pinguin.checks.engine.stopwatch import Stopwatch
from pinguin.checks.engine.wire import Wire
from pinguin.checks.evidence import text
from pinguin.errors import CheckFailed

StartTls = Literal["smtp", "imap", "pop3", "ftp", "postgres", "ldap"]

MOST_LINES = 100
MOST_BYTES = 16384
GREETING = b"EHLO pinguin.invalid\r\n"
SSL_REQUEST = struct.pack("!II", 8, 80877103)
LDAP_OID = b"1.3.6.1.4.1.1466.20037"


async def start(protocol: StartTls, wire: Wire, watch: Stopwatch) -> None:
    """Bring `wire` to where the TLS handshake begins. Raises OSError, CheckFailed("protocol", "tls" or "reset")."""
    watch.begin(f"waiting for {protocol} to offer TLS")
    talk = Talk(wire, protocol)
    await _PROTOCOLS[protocol](talk)
    watch.done("tls")
    if talk.rest:
        raise CheckFailed("protocol", f"{wire.address} goes on in the clear after it agreed to TLS")


class Talk:
    """The conversation in the clear. rest: what came in, and was not asked for yet."""

    def __init__(self, wire: Wire, protocol: str) -> None:
        self._wire = wire
        self._protocol = protocol
        self._read = 0
        self.rest = b""

    async def say(self, data: bytes) -> None:
        await self._wire.send(data)

    async def exactly(self, size: int) -> bytes:
        while len(self.rest) < size:
            await self._more()
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    async def line(self) -> bytes:
        """One line, without its end."""
        while b"\n" not in self.rest:
            await self._more()
        line, _, self.rest = self.rest.partition(b"\n")
        return line.rstrip(b"\r")

    async def reply(self) -> tuple[int, list[bytes]]:
        """A reply as SMTP and FTP write it, over one line or several: its code, and the texts."""
        lines: list[bytes] = []
        while len(lines) < MOST_LINES:
            line = await self.line()
            lines.append(line[4:])
            if line[:3].isdigit() and line[3:4] in (b" ", b""):
                return int(line[:3]), lines
            if not lines[1:] and not (line[:3].isdigit() and line[3:4] == b"-"):
                raise self.strange(line)
        raise self.strange(lines[-1])

    def strange(self, answer: bytes) -> CheckFailed:
        words = " ".join(text(answer, 100).split())
        return CheckFailed("protocol", f"{self._wire.address} does not speak {self._protocol}: it says “{words}”")

    def refused(self, answer: bytes) -> CheckFailed:
        words = text(answer, 100)
        return CheckFailed("tls", f"{self._wire.address} offers no TLS over {self._protocol}: it says “{words}”")

    async def _more(self) -> None:
        data = await self._wire.receive(4096)
        if not data:
            words = f"{self._wire.address} closed the connection before TLS began"
            raise CheckFailed("reset", words)
        self.rest += data
        self._read += len(data)
        if self._read > MOST_BYTES:
            raise self.strange(self.rest[:100])


async def _smtp(talk: Talk) -> None:
    code, lines = await talk.reply()
    if code != 220:
        raise talk.strange(b"%d %s" % (code, lines[0]))
    await talk.say(GREETING)
    code, lines = await talk.reply()
    if code != 250 or b"STARTTLS" not in {line.strip().upper() for line in lines}:
        raise talk.refused(b"%d %s" % (code, b", ".join(lines)))
    await talk.say(b"STARTTLS\r\n")
    code, lines = await talk.reply()
    if code != 220:
        raise talk.refused(b"%d %s" % (code, lines[0]))


async def _imap(talk: Talk) -> None:
    greeting = await talk.line()
    if not greeting.upper().startswith(b"* OK"):
        raise talk.strange(greeting)
    await talk.say(b"p1 STARTTLS\r\n")
    for _ in range(MOST_LINES):
        line = await talk.line()
        if line.startswith(b"p1 "):
            if not line.upper().startswith(b"P1 OK"):
                raise talk.refused(line)
            return
    raise talk.strange(line)


async def _pop3(talk: Talk) -> None:
    greeting = await talk.line()
    if not greeting.startswith(b"+OK"):
        raise talk.strange(greeting)
    await talk.say(b"STLS\r\n")
    answer = await talk.line()
    if not answer.startswith(b"+OK"):
        raise talk.refused(answer)


async def _ftp(talk: Talk) -> None:
    code, lines = await talk.reply()
    if code != 220:
        raise talk.strange(b"%d %s" % (code, lines[0]))
    await talk.say(b"AUTH TLS\r\n")
    code, lines = await talk.reply()
    if code != 234:
        raise talk.refused(b"%d %s" % (code, lines[0]))


async def _postgres(talk: Talk) -> None:
    await talk.say(SSL_REQUEST)
    answer = await talk.exactly(1)
    if answer == b"N":
        raise talk.refused(answer)
    if answer != b"S":
        raise talk.strange(answer + talk.rest)


async def _ldap(talk: Talk) -> None:
    """An ExtendedRequest for StartTLS (RFC 4511, 4.14), and its response: an LDAPMessage in BER."""
    name = b"\x80" + bytes([len(LDAP_OID)]) + LDAP_OID
    request = b"\x02\x01\x01\x77" + bytes([len(name)]) + name
    await talk.say(b"\x30" + bytes([len(request)]) + request)
    head = await talk.exactly(2)
    if head[:1] != b"\x30":
        raise talk.strange(head + talk.rest)
    size = head[1]
    if size & 0x80:  # the long form: so many bytes of length follow
        if not 1 <= size & 0x7F <= 4:
            raise talk.strange(head)
        size = int.from_bytes(await talk.exactly(size & 0x7F), "big")
    if size > MOST_BYTES:
        raise talk.strange(head)
    code = _ldap_code(await talk.exactly(size))
    if code is None:
        raise talk.strange(head)
    if code:
        raise talk.refused(b"result code %d" % code)


def _ldap_code(message: bytes) -> int | None:
    """The result code of an ExtendedResponse, which is an ENUMERATED right behind the response's own tag."""
    if len(message) < 3 or message[0] != 0x02:
        return None
    rest = message[2 + message[1] :]
    if len(rest) < 2 or rest[0] != 0x78:
        return None
    body = rest[2 + (rest[1] & 0x7F if rest[1] & 0x80 else 0) :]
    return body[2] if len(body) >= 3 and body[:2] == b"\x0a\x01" else None


_PROTOCOLS: dict[StartTls, Callable[[Talk], Awaitable[None]]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "ftp": _ftp,
    "postgres": _postgres,
    "ldap": _ldap,
}
