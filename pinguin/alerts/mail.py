"""A message as an e-mail: its headers, its plain text and its HTML."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from functools import lru_cache

from pinguin.alerts.contract import Message, Rendered
from pinguin.alerts.words import one_line

_ADDRESS = re.compile(r"(?:(?P<name>[^<>]*?)\s*<(?P<inside>[^<>]*)>|(?P<bare>[^<>]*))")
_LOCAL = re.compile(r"[^\s@<>()\[\],:;\\\"\x00-\x20\x7f]{1,64}")
_HOST = re.compile(r"(?!-)[\w.-]{1,253}(?<![-.])|\[[0-9A-Fa-f.:]+\]")


def composed(sender: str, to: Sequence[str], rendered: Rendered, *, utf8: bool) -> bytes:
    """utf8: addresses with other letters than ASCII stand as they are (SMTPUTF8)."""
    message = rendered.message
    letter = EmailMessage(policy=SMTPUTF8 if utf8 else SMTP)
    domain = _ascii_domain(parsed(sender))
    letter["From"] = parsed(sender)
    letter["To"] = [parsed(address) for address in to]
    letter["Subject"] = one_line(rendered.subject, 200)
    letter["Date"] = format_datetime(message.sent_at)
    letter["Message-ID"] = f"<{_digest(message.key)}@{domain}>"
    if thread := _thread(message):
        letter["In-Reply-To"] = letter["References"] = f"<{thread}@{domain}>"
    letter["List-Id"] = f"<pinguin-alerts.{domain}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Auto-Response-Suppress"] = "All"
    # Quoted-printable goes through servers that know neither 8BITMIME nor long lines.
    letter.set_content(_text(rendered.text), cte="quoted-printable")
    letter.add_alternative(_text(rendered.html), subtype="html", cte="quoted-printable")
    return letter.as_bytes()


@lru_cache(maxsize=1000)
def parsed(words: str) -> Address:
    """`ada@example.org` or `Ada <ada@example.org>`. Raises ValueError that says what is wrong."""
    found = _ADDRESS.fullmatch(words.strip())
    address = (found["inside"] or found["bare"] or "").strip() if found else ""
    local, at, domain = address.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or not is_host(domain) or ".." in address or local[0] == ".":
        raise ValueError("is not an e-mail address")
    name = (found["name"] or "").strip().strip('"') if found else ""
    if not name.isprintable() or len(name) > 200:
        raise ValueError("has a name that cannot be shown")
    try:
        return Address(display_name=name, username=local, domain=domain)
    except (ValueError, IndexError):
        raise ValueError("is not an e-mail address") from None


def wrong_address(words: str) -> str | None:
    try:
        parsed(words)
    except ValueError as error:
        return str(error)
    return None


def is_host(words: str) -> bool:
    return bool(_HOST.fullmatch(words)) or _is_ipv6(words)


def _is_ipv6(words: str) -> bool:
    return bool(re.fullmatch(r"[0-9A-Fa-f:.]+", words)) and ":" in words


def _thread(message: Message) -> str:
    """What all messages about one incident refer to; empty where they are about several, or none."""
    incidents = {item.incident_id for item in message.items}
    incident = incidents.pop() if len(incidents) == 1 else None
    return "" if incident is None else f"incident-{incident}.{_digest(message.channel + message.base_url)[:12]}"


def _digest(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:32]


def _ascii_domain(address: Address) -> str:
    try:
        domain = address.domain.encode("idna").decode("ascii")
    except UnicodeError:
        return "pinguin.invalid"
    return "pinguin.invalid" if domain.startswith("[") else domain


def _text(words: str) -> str:
    """Without what no mail may hold: NUL, and half surrogate pairs."""
    return words.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
