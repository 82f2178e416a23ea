"""The demo's certificates, made anew at each start. Nobody else trusts them."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pinguin.demo.ports import HOST


@dataclass(frozen=True, slots=True)
class Authority:
    """What signs. A self-signed certificate is its own authority."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls, name: str) -> Authority:
        return cls(_name(name), ec.generate_private_key(ec.SECP256R1()))

    def context(self, begins: timedelta, ends: timedelta) -> ssl.SSLContext:
        """TLS for a server on `HOST`, whose certificate begins and ends at these distances from now."""
        leaf = self if self.name == _name(HOST) else Authority.new(HOST)
        return _server_context(self._sign(leaf, begins, ends), leaf.key)

    def _sign(self, leaf: Authority, begins: timedelta, ends: timedelta) -> x509.Certificate:
        now = datetime.now(UTC)
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))])
        builder = (
            x509.CertificateBuilder()
            .subject_name(leaf.name)
            .issuer_name(self.name)
            .public_key(leaf.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(names, critical=False)
        )
        return builder.sign(self.key, hashes.SHA256())


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _server_context(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # The ssl module reads keys from files alone.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "both.pem")
        path.touch(mode=0o600)
        path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        context.load_cert_chain(path)
    return context
