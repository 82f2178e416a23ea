"""What each certificate of a chain says about itself, and whether the chain is in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import NameOID

from pinguin.checks.engine.certificate import LARGEST_KEPT, UNREADABLE, load

MOST_SHOWN = 6
BROKEN_HASHES = {"md5", "sha1"}


@dataclass(frozen=True, slots=True)
class Link:
    """One certificate of a chain. Dates are aware, UTC.

    key: the kind of its public key: RSA, ECDSA, DSA, or another's name. bits: the key's length, 0 where the kind has
    but one. hash: of the signature, "" where the signature's kind has none of its own (Ed25519). fingerprint: SHA-256
    of the whole certificate, 64 hexadecimal digits. holder, signer: subject and issuer as they are encoded.
    issuer_name: the issuer in full.
    """

    subject: str
    issuer: str
    issuer_name: str
    holder: bytes
    signer: bytes
    not_before: datetime
    not_after: datetime
    key: str
    bits: int
    hash: str
    fingerprint: str

    @property
    def is_root(self) -> bool:
        return self.holder == self.signer

    def days_left(self, now: datetime) -> int:
        """Whole days until the end; negative once it is over."""
        return (self.not_after - now).days

    def facts(self, now: datetime) -> dict[str, Any]:
        """For the evidence."""
        return {
            "subject": self.subject[:100],
            "issuer": self.issuer[:100],
            "not_after": self.not_after.isoformat(),
            "days_left": self.days_left(now),
            "key": f"{self.key} {self.bits}" if self.bits else self.key,
            "hash": self.hash,
        }


def read_link(der: bytes) -> Link | None:
    """The certificate in `der`, or None where it cannot be read: OpenSSL accepts some that stricter readers refuse."""
    return _kept(der) if len(der) <= LARGEST_KEPT else _read(der)


@lru_cache(maxsize=4096)
def _kept(der: bytes) -> Link | None:
    return _read(der)


def _read(der: bytes) -> Link | None:
    try:
        parsed = load(der)
        key, bits = _key(parsed)
        return Link(
            subject=_short(parsed.subject),
            issuer=_short(parsed.issuer),
            issuer_name=parsed.issuer.rfc4514_string(),
            holder=parsed.subject.public_bytes(),
            signer=parsed.issuer.public_bytes(),
            not_before=parsed.not_valid_before_utc,
            not_after=parsed.not_valid_after_utc,
            key=key,
            bits=bits,
            hash=_hash(parsed),
            fingerprint=sha256(der).hexdigest(),
        )
    except UNREADABLE:
        return None


def read_chain(ders: Sequence[bytes]) -> list[Link]:
    return [link for link in map(read_link, ders) if link is not None]


def out_of_order(sent: Sequence[Link]) -> Link | None:
    """The first certificate that did not sign the one before it. A root at the end is superfluous, but in order."""
    for below, above in pairwise(sent):
        if below.signer != above.holder:
            return above
    return None


def _key(parsed: x509.Certificate) -> tuple[str, int]:
    try:
        key = parsed.public_key()
    except UnsupportedAlgorithm:
        return "unknown", 0
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "ECDSA", key.key_size
    if isinstance(key, dsa.DSAPublicKey):
        return "DSA", key.key_size
    return type(key).__name__.removesuffix("PublicKey"), 0


def _hash(parsed: x509.Certificate) -> str:
    try:
        algorithm = parsed.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "unknown"
    return algorithm.name if algorithm else ""


def _short(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()
