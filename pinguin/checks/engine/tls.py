"""TLS: one context for each policy, the handshake, and what a failed one means."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import certifi

from pinguin.checks.engine import certificate
from pinguin.checks.engine.certificate import Certificate
from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.stopwatch import Stopwatch, in_words
from pinguin.checks.engine.wire import Wire
from pinguin.errors import CheckFailed


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """What a check asks of TLS. Equal policies share a context; unequal ones never do. TRAP 15

    authorities: PEM text of authorities that are trusted beside the system's.
    """

    verify: bool = True
    authorities: str = ""


class TlsContexts:
    """SSL contexts by policy. One takes 16 ms to make and holds the system's authorities, so they are shared."""

    MOST = 64

    def __init__(self) -> None:
        self._made: OrderedDict[TlsPolicy, ssl.SSLContext] = OrderedDict()

    def of(self, policy: TlsPolicy) -> ssl.SSLContext:
        context = self._made.get(policy)
        if context is None:
            context = self._made[policy] = _new_context(policy)
            if len(self._made) > self.MOST:
                self._made.popitem(last=False)
        self._made.move_to_end(policy)
        return context

    def close(self) -> None:
        self._made.clear()


def check_authorities(pem: str) -> str | None:
    """What is wrong with the PEM text, or None."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, TypeError):  # TypeError: a text that is not ASCII
        return "must be certificates in PEM form (-----BEGIN CERTIFICATE----- …)"
    return None


async def handshake(wire: Wire, host: str, policy: TlsPolicy, contexts: TlsContexts, watch: Stopwatch) -> ssl.SSLSocket:
    """Speak TLS on `wire` from now on. Raises CheckFailed("tls", "certificate" or "reset")."""
    try:
        # Without the dot that may end a name: certificates are made out without it.
        return await wire.start_tls(contexts.of(policy), host.rstrip("."))
    except ssl.SSLCertVerificationError as error:
        failure = partial(_refused_certificate, error.verify_code, error.verify_message)
    except ssl.SSLError as error:
        raise CheckFailed("tls", f"the TLS handshake with {wire.address} failed: {_words(error)}") from None
    except OSError as error:
        raise failure_of(error, str(wire.address), in_words(watch.total_ms())) from None
    seen = await _look_at(wire, host, contexts, watch)
    raise failure(seen, host)


def peer_certificate(sock: ssl.SSLSocket) -> Certificate | None:
    der = sock.getpeercert(binary_form=True)
    return certificate.read(der) if der else None


def _new_context(policy: TlsPolicy) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # On from Python 3.13, and refuses certificates in wide use: a false alarm for a site that every browser shows.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["http/1.1"])
    if not policy.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    _load_authorities(context)
    if policy.authorities:
        context.load_verify_locations(cadata=policy.authorities)
    return context


def _load_authorities(context: ssl.SSLContext) -> None:
    """The system's, or certifi's where the system has none (python.org's build on a Mac, a bare container)."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and os.listdir(paths.capath)):
        context.set_default_verify_paths()
    else:
        context.load_verify_locations(certifi.where())


async def _look_at(wire: Wire, host: str, contexts: TlsContexts, watch: Stopwatch) -> Certificate | None:
    """The certificate that was refused. OpenSSL drops it with the handshake, so it takes a second connection.

    It is for the evidence alone: where anything goes wrong, or time is short, there is none.
    """
    again: Wire | None = None
    try:
        async with asyncio.timeout(min(2.0, watch.seconds_left() / 2)):
            again = await Wire.open(wire.address)
            return peer_certificate(await again.start_tls(contexts.of(TlsPolicy(verify=False)), host))
    except OSError:  # TimeoutError is one, ssl.SSLError is one
        return None
    finally:
        if again is not None:
            again.close()


EXPIRED, NOT_YET, SELF_SIGNED, SELF_SIGNED_IN_CHAIN, NO_ISSUER, NO_FIRST, WRONG_NAME, WRONG_IP = (
    10,
    9,
    18,
    19,
    20,
    21,
    62,
    64,
)
"""OpenSSL's X509_V_ERR_… codes, which are the same in all its versions."""


def _refused_certificate(code: int, words: str, seen: Certificate | None, host: str) -> CheckFailed:
    now = certificate.now()
    facts = {"certificate": seen.facts(host, now)} if seen else {}
    evidence = {**facts, "verify_code": code}
    return CheckFailed("certificate", _sentence(code, words, seen, host, now), evidence=evidence)


def _sentence(code: int, words: str, seen: Certificate | None, host: str, now: datetime) -> str:
    if code == EXPIRED:
        since = f" on {seen.not_after:%Y-%m-%d} ({-seen.days_left(now)} days ago)" if seen else ""
        if seen and seen.not_after > now:
            return f"a certificate above that of {host} has expired"
        return f"the certificate of {host} expired{since}"
    if code == NOT_YET:
        return f"the certificate of {host} is not valid yet" + (
            f", only from {seen.not_before:%Y-%m-%d}" if seen else ""
        )
    if code == SELF_SIGNED:
        return f"the certificate of {host} is self-signed"
    if code in (SELF_SIGNED_IN_CHAIN, NO_ISSUER, NO_FIRST):
        return f"the certificate of {host} comes from an unknown authority" + (f": {seen.issuer}" if seen else "")
    if code in (WRONG_NAME, WRONG_IP):
        names = f", only for {', '.join(seen.names[:5])}" if seen and seen.names else ""
        return f"the certificate is not for {host}{names}"
    return f"the certificate of {host} is refused: {words}"


def _words(error: ssl.SSLError) -> str:
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return "the other side closed the connection"
    if error.reason == "WRONG_VERSION_NUMBER":
        return "the other side does not speak TLS"
    return (error.reason or "no reason given").lower().replace("_", " ")
