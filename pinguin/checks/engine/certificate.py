"""What a certificate says: names, issuer, dates. Nothing here decides about trust; OpenSSL did."""

from __future__ import annotations

import ipaddress
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Certificate:
    """The facts of a leaf certificate. Dates are aware, UTC."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime

    def days_left(self, now: datetime) -> int:
        """Whole days until the end; negative once it is over."""
        return (self.not_after - now).days

    def facts(self, host: str, now: datetime) -> dict[str, Any]:
        """For the evidence."""
        return {
            "subject": self.subject[:100],
            "issuer": self.issuer[:100],
            "names": [name[:100] for name in self.names[:20]],
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
            "days_left": self.days_left(now),
            "covers_host": covers(self.names, host),
        }


LARGEST_KEPT = 16384
"""Bytes of a certificate whose reading is kept: a server must not fill our memory with ever new large ones."""

UNREADABLE = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def read(der: bytes) -> Certificate | None:
    """The certificate in `der`, or None where it cannot be read: OpenSSL accepts some that stricter readers refuse."""
    return _kept(der) if len(der) <= LARGEST_KEPT else _read(der)


@lru_cache(maxsize=4096)
def _kept(der: bytes) -> Certificate | None:
    return _read(der)


def _read(der: bytes) -> Certificate | None:
    try:
        parsed = load(der)
        return Certificate(
            subject=_name(parsed.subject),
            issuer=_name(parsed.issuer),
            names=_names(parsed),
            not_before=parsed.not_valid_before_utc,
            not_after=parsed.not_valid_after_utc,
        )
    except UNREADABLE:
        return None


def load(der: bytes) -> x509.Certificate:
    """Raises one of `UNREADABLE`, and so may whatever is asked of the certificate later."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is odd about it: a negative serial number, for one
        return x509.load_der_x509_certificate(der)


@lru_cache(maxsize=4096)
def covers(names: tuple[str, ...], host: str) -> bool:
    """Whether a certificate for `names` is one for `host`."""
    host = host.partition("%")[0]  # an address' zone is this machine's own
    return any(_matches(name, host) for name in names)


def now() -> datetime:
    return datetime.now(UTC)


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    names = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return (*names, *map(str, addresses))


def _matches(name: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(host) == ipaddress.ip_address(name)
    except ValueError:
        pass
    name, host = name.lower().rstrip("."), host.lower().rstrip(".")
    if name.startswith("*."):  # stands for one label, and only the leftmost one
        return host.partition(".")[2] == name[2:] and not host.startswith(".")
    return host == name
