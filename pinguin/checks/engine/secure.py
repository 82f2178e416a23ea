"""TLS for the checks that look at it closely: the chain as it was sent, even where it is refused, on one connection.

`engine/tls.py` is the fast way of the HTTP check; this is the thorough one of all the others.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import WeakKeyDictionary

import certifi

from pinguin.checks.contract import Context
from pinguin.checks.engine import certificate
from pinguin.checks.engine.chain import MOST_SHOWN, Link, read_chain
from pinguin.checks.engine.failures import failure_of
from pinguin.checks.engine.refusals import handshake_words, refusal
from pinguin.checks.engine.stopwatch import Stopwatch, in_words
from pinguin.checks.engine.wire import Wire
from pinguin.errors import CheckFailed

TlsVersion = Literal["1.0", "1.1", "1.2", "1.3"]
VERSIONS: dict[str, ssl.TLSVersion] = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
_PRIVATE = "PRIVATE KEY-----"
_DER = 2  # _ssl.ENCODING_DER
_HANDSHAKE = 22  # RFC 8446, 5.1: ContentType
_CERTIFICATE_REQUEST, _SESSION_TICKET = 13, 4  # RFC 8446, 4: HandshakeType
_ALERT_WAIT = 1.0


@dataclass(frozen=True, slots=True)
class Demand:
    """What a check asks of TLS. Equal demands share a context; unequal ones never do. TRAP 15

    authorities: PEM of authorities trusted beside the system's. least: the oldest version that is spoken; below 1.2
    old hashes and short keys are let through as well, for the caller to judge. alpn: the protocols that are offered.
    """

    verify: bool = True
    authorities: str = field(default="", repr=False)
    least: TlsVersion = "1.2"
    client_certificate: str = field(default="", repr=False)
    client_key: str = field(default="", repr=False)
    alpn: tuple[str, ...] = ()


@dataclass(slots=True)
class Secured:
    """What a finished handshake showed. early: what the server sent before it was asked for anything.

    sent: the chain as the server sent it. verified: the one that leads to a trusted root, or [] without verification.
    client_certificate: whether the server asked for one. took_ms: look-up,
    connection and handshake, without what we did ourselves in between, such as making a context.
    """

    version: str
    cipher: str
    sent: list[Link]
    verified: list[Link]
    client_certificate: bool
    took_ms: float = 0.0
    early: bytes = b""

    @property
    def chain(self) -> list[Link]:
        return self.verified or self.sent


class DemandContexts:
    """SSL contexts by demand: one takes 16 ms to make and holds the system's authorities, so they are shared."""

    MOST = 64

    def __init__(self) -> None:
        self._made: OrderedDict[Demand, ssl.SSLContext] = OrderedDict()
        self._heard: WeakKeyDictionary[Any, set[int]] = WeakKeyDictionary()

    def of(self, demand: Demand) -> ssl.SSLContext:
        made = self._made.get(demand)
        if made is None:
            made = self._made[demand] = new_context(demand)
            # The ssl module's own hook, without a public name: the only way to learn of a request for a certificate.
            setattr(made, "_msg_callback", self._hear)  # noqa: B010
            if len(self._made) > self.MOST:
                self._made.popitem(last=False)
        self._made.move_to_end(demand)
        return made

    def heard(self, sock: Any) -> set[int]:
        """The kinds of handshake messages that came in on `sock`."""
        return self._heard.get(sock, set())

    def close(self) -> None:
        self._made.clear()
        self._heard.clear()

    def _hear(self, sock: Any, direction: str, _version: Any, content: Any, kind: Any, _data: bytes) -> None:
        if direction == "read" and content == _HANDSHAKE and isinstance(sock, ssl.SSLSocket):
            self._heard.setdefault(sock, set()).add(int(kind))


async def secure(wire: Wire, name: str, demand: Demand, context: Context, watch: Stopwatch) -> Secured:
    """Speak TLS on `wire` from now on, with the server as `name`. Raises CheckFailed; the caller closes the wire.

    The evidence gets `tls`, `certificate` and `chain`, also where the certificate is refused.
    """
    contexts = context.resources.get(DemandContexts)
    made = contexts.of(demand)
    watch.begin("waiting for the TLS handshake")
    try:
        # Without the dot that may end a name, and an address' zone: certificates are made out without them.
        await wire.start_tls(made, name.partition("%")[0].rstrip("."))
        sock = wire.sock
        watch.done("tls")
        found = _found(sock, demand, contexts)
        found.took_ms = sum(context.phases.values())
        _show(found, sock, name, context)
        if found.client_certificate:
            found.early = await _accepted(wire, sock, demand, contexts, watch)
    except ssl.SSLError as error:
        _show_sent(wire.sock, name, context)
        raise _failure(error, wire, name, demand, contexts) from None
    except OSError as error:
        raise failure_of(error, str(wire.address), in_words(watch.total_ms())) from None
    return found


def sent_chain(sock: Any) -> list[bytes]:
    """The certificates as the server sent them, leaf first. OpenSSL keeps them where it refused them, too."""
    chain: Any = getattr(getattr(sock, "_sslobj", None), "get_unverified_chain", list)()
    return [each.public_bytes(_DER) for each in chain or ()]


def wrong_pem(pem: str) -> str | None:
    """What is wrong with the authorities in PEM, or None."""
    if not pem:
        return None
    if _PRIVATE in pem:
        return "must not have a private key among them: here it would not be kept secret"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, TypeError, ValueError):  # TypeError: a text that is not ASCII
        return "must be certificates in PEM form (-----BEGIN CERTIFICATE----- …)"
    return None


def wrong_identity(client_certificate: str, client_key: str) -> dict[str, str]:
    """What is wrong with the two, by field's name."""
    if not client_certificate and not client_key:
        return {}
    if not client_certificate:
        return {"client_certificate": "is required where there is a key"}
    if not client_key:
        return {"client_key": "is required where there is a client certificate"}
    if _PRIVATE in client_certificate:
        return {"client_certificate": "must not hold the private key: only the field for it keeps it secret"}
    try:
        _load_identity(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), client_certificate, client_key)
    except (OSError, ValueError):
        return {"client_key": "does not fit the certificate, is encrypted, or one of the two is not in PEM form"}
    return {}


def new_context(demand: Demand) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # On from Python 3.13, and refuses certificates in wide use: a false alarm for a site that every browser shows.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if demand.least in ("1.0", "1.1"):
        made.set_ciphers("DEFAULT:@SECLEVEL=0")
    _allow_from(made, VERSIONS[demand.least])
    if demand.alpn:
        made.set_alpn_protocols(list(demand.alpn))
    if demand.client_certificate:
        _load_identity(made, demand.client_certificate, demand.client_key)
    if demand.verify:
        made.load_verify_locations(*authorities())
        if demand.authorities:
            made.load_verify_locations(cadata=demand.authorities)
    else:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def _allow_from(made: ssl.SSLContext, least: ssl.TLSVersion) -> None:
    # ssl warns of versions that are old; here somebody asked to see them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version = least


def authorities() -> tuple[str | None, str | None]:
    """The file and the folder of the system's authorities, or certifi's file where the system has none.

    That is so with python.org's build on a Mac, and in a bare container.
    """
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and os.listdir(paths.capath)):
        return paths.cafile, paths.capath
    return certifi.where(), None


def _load_identity(made: ssl.SSLContext, client_certificate: str, client_key: str) -> None:
    with identity_file(client_certificate, client_key) as path:
        made.load_cert_chain(path, password=lambda: "")  # without one, OpenSSL asks at the terminal, for ever


@contextmanager
def identity_file(client_certificate: str, client_key: str) -> Iterator[str]:
    """The path of a file with both. It is ours alone (0600) and gone before the first packet."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # OpenSSL takes nothing but files
        file.write(f"{client_certificate.strip()}\n{client_key.strip()}\n")
        file.flush()
        yield file.name


def _found(sock: ssl.SSLSocket, demand: Demand, contexts: DemandContexts) -> Secured:
    cipher = sock.cipher()
    verified = verified_chain(sock) if demand.verify else []
    return Secured(
        version=sock.version() or "",
        cipher=cipher[0] if cipher else "",
        sent=read_chain(sent_chain(sock)),
        verified=read_chain(verified),
        client_certificate=_CERTIFICATE_REQUEST in contexts.heard(sock),
    )


def verified_chain(sock: Any) -> list[bytes]:
    chain: Any = getattr(sock._sslobj, "get_verified_chain", list)()
    return [each.public_bytes(_DER) for each in chain or ()]


def _show(found: Secured, sock: ssl.SSLSocket, name: str, context: Context) -> None:
    context.evidence["tls"] = {"version": found.version, "cipher": found.cipher}
    if found.client_certificate:
        context.evidence["tls"]["client_certificate"] = "asked for"
    _show_certificates(sent_chain(sock), found.chain, name, context)


def _show_sent(sock: Any, name: str, context: Context) -> None:
    sent = sent_chain(sock)
    if sent:
        _show_certificates(sent, read_chain(sent), name, context)


def _show_certificates(sent: Sequence[bytes], chain: Sequence[Link], name: str, context: Context) -> None:
    now = certificate.now()
    leaf = certificate.read(sent[0]) if sent else None
    if leaf:
        context.evidence["certificate"] = leaf.facts(name, now)
    context.evidence["chain"] = [link.facts(now) for link in chain[:MOST_SHOWN]]


async def _accepted(
    wire: Wire, sock: ssl.SSLSocket, demand: Demand, contexts: DemandContexts, watch: Stopwatch
) -> bytes:
    """In TLS 1.3 the server refuses a client only after the client is done, so its next word must be waited for.

    That is an alert (raised as SSLError), the end, a session ticket, which says yes, or nothing for a while.
    """
    if sock.version() != "TLSv1.3":
        return b""
    watch.stage("waiting for the server to accept the client's certificate")
    try:
        async with asyncio.timeout(min(_ALERT_WAIT, watch.seconds_left() / 2)):
            return await _next_word(wire, sock, demand, contexts)
    except TimeoutError:
        return b""


async def _next_word(wire: Wire, sock: ssl.SSLSocket, demand: Demand, contexts: DemandContexts) -> bytes:
    while _SESSION_TICKET not in contexts.heard(sock):
        try:
            data = sock.recv(65536)
        except ssl.SSLWantReadError:
            if _SESSION_TICKET not in contexts.heard(sock):
                await wire.readable()
            continue
        if not data:
            raise CheckFailed("tls", f"{wire.address} {about_client(demand)}: the other side closed the connection")
        return data
    return b""


def about_client(demand: Demand) -> str:
    return "refuses the client certificate" if demand.client_certificate else "demands a client certificate"


def _failure(error: ssl.SSLError, wire: Wire, name: str, demand: Demand, contexts: DemandContexts) -> CheckFailed:
    sent = read_chain(sent_chain(wire.sock))
    if isinstance(error, ssl.SSLCertVerificationError):
        leaf = certificate.read(sent_chain(wire.sock)[0]) if sent else None
        names = leaf.names if leaf else ()
        sentence = refusal(error.verify_code, error.verify_message, sent, names, name, certificate.now())
        return CheckFailed("certificate", sentence, evidence={"verify_code": error.verify_code})
    if _CERTIFICATE_REQUEST in contexts.heard(wire.sock):
        return CheckFailed("tls", f"{wire.address} {about_client(demand)}: {handshake_words(error, demand.least)}")
    return CheckFailed("tls", f"the TLS handshake with {wire.address} failed: {handshake_words(error, demand.least)}")
