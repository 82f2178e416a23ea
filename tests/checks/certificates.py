"""Certificates of every kind, honest and absurd, and TLS servers that show them."""

from __future__ import annotations

import ssl
import tempfile
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM
DER = serialization.Encoding.DER


@cache
def key_of(kind: str, owner: str) -> Any:
    """One key for each kind and owner: RSA keys take long to make."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    curve = {"p192": ec.SECP192R1(), "p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind]
    return ec.generate_private_key(curve)


@dataclass(frozen=True)
class Made:
    certificate: bytes  # DER
    name: x509.Name
    key: Any

    @property
    def pem(self) -> str:
        return x509.load_der_x509_certificate(self.certificate).public_bytes(PEM).decode()

    @property
    def key_pem(self) -> str:
        form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return str(self.key.private_bytes(PEM, form, plain).decode())


def make(
    subject: str,
    issuer: Made | None = None,
    *,
    kind: str = "p256",
    names: tuple[str, ...] = (),
    days: float = 90,
    since: float = -1,
    sha1: bool = False,
) -> Made:
    """A certificate for `names`, or without them an authority's; signed by itself where there is no issuer."""
    key = key_of(kind, subject)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(issuer.name if issuer else name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + timedelta(days=since))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(each) for each in names]), False)
    signer = issuer.key if issuer else key
    signed = builder.sign(signer, hashes.SHA256())
    der = _over_sha1(signed, signer) if sha1 else signed.public_bytes(DER)
    return Made(der, name, key)


def _general(name: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(name)) if name[0].isdigit() or ":" in name else x509.DNSName(name)


def _over_sha1(signed: x509.Certificate, signer: rsa.RSAPrivateKey) -> bytes:
    """Signed anew over SHA-1, by hand: the library no longer does it."""
    sha256_rsa, sha1_rsa = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    body = signed.tbs_certificate_bytes.replace(sha256_rsa, sha1_rsa)
    signature = signer.sign(body, padding.PKCS1v15(), hashes.SHA1())
    algorithm = bytes.fromhex("300d0609") + sha1_rsa + bytes.fromhex("0500")
    bits = b"\x03" + _length(len(signature) + 1) + b"\x00" + signature
    whole = body + algorithm + bits
    return b"\x30" + _length(len(whole)) + whole


def _length(size: int) -> bytes:
    if size < 128:
        return bytes([size])
    packed = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(packed)]) + packed


def server(*chain: Made, version: str = "", clients: Made | None = None) -> ssl.SSLContext:
    """A server's context that sends `chain` as it is, leaf first. version: the only one it speaks, such as TLSv1_2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if version:
            context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("".join(each.pem for each in chain) + chain[0].key_pem)
        file.flush()
        context.load_cert_chain(file.name)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients.pem)
    return context


@cache
def house() -> tuple[Made, Made, Made]:
    """A root, an authority below it, and its certificate for 127.0.0.1 and www.example.test."""
    root = make("Test Root")
    middle = make("Test Middle", root)
    return root, middle, make("127.0.0.1", middle, names=("127.0.0.1", "www.example.test"))
