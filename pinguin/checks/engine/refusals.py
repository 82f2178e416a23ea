"""Why a handshake failed, or a chain was refused, in words."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import datetime

from pinguin.checks.counting import counted
from pinguin.checks.engine.chain import Link


def refusal(code: int, words: str, sent: Sequence[Link], names: Sequence[str], name: str, now: datetime) -> str:
    """Why OpenSSL refused the chain, from its X509_V_ERR_… code, which is the same in all its versions."""
    leaf = sent[0] if sent else None
    match code:
        case 10:
            return _expired(sent, name, now)
        case 9:
            since = f", only from {leaf.not_before:%Y-%m-%d}" if leaf and leaf.not_before > now else ""
            return f"the certificate of {name} is not valid yet{since}"
        case 18:
            ended = f", and {_ended(leaf, now)}" if leaf and leaf.not_after <= now else ""
            return f"the certificate of {name} is self-signed{ended}"
        case 20 | 21 if leaf and not leaf.is_root and not any(leaf.signer == link.holder for link in sent[1:]):
            missing = f"{leaf.issuer} is unknown here, and the server does not send it"
            return f"the certificate of {name} comes from an unknown authority: {missing}"
        case 19 | 20 | 21:
            who = f": {sent[-1].issuer}" if sent else ""
            return f"the certificate of {name} comes from an unknown authority{who}"
        case 62 | 64:
            only = f", only for {', '.join(names[:5])}" if names else ""
            return f"the certificate is not for {name}{only}"
        case 66 | 67:
            return f"a key in the certificate chain of {name} is too short"
        case 68:
            return f"a certificate in the chain of {name} is signed with a broken hash (SHA-1 or MD5)"
    return f"the certificate of {name} is refused: {words}"


def _expired(sent: Sequence[Link], name: str, now: datetime) -> str:
    for number, link in enumerate(sent):
        if link.not_after <= now:
            whose = f"certificate {link.subject}, in the chain of {name}," if number else f"certificate of {name}"
            return f"the {whose} {_ended(link, now)}"
    return f"a certificate above that of {name} has expired"


def _ended(link: Link, now: datetime) -> str:
    return f"expired on {link.not_after:%Y-%m-%d} ({counted(-link.days_left(now), 'day')} ago)"


def handshake_words(error: ssl.SSLError, least: str) -> str:
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return "the other side closed the connection"
    match error.reason:
        case "WRONG_VERSION_NUMBER" | "PACKET_LENGTH_TOO_LONG" | "HTTP_REQUEST" | "RECORD_LAYER_FAILURE":
            return "the other side does not speak TLS"
        case "UNSUPPORTED_PROTOCOL" | "TLSV1_ALERT_PROTOCOL_VERSION":
            return f"it does not speak TLS {least} or newer"
    return (error.reason or "no reason given").lower().replace("_", " ")
