from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pinguin.checks.engine.certificate import covers
from pinguin.checks.engine.openssl import TlsSocket
from pinguin.checks.engine.secure import Demand, new_context
from pinguin.checks.engine.tls import TlsContexts
from pinguin.model import Status
from tests.checks.conftest import Check, gone
from tests.checks.servers import answering, page, resetting, serving, silent

NOW = datetime.now(UTC)
HTTPS = "https://127.0.0.1"


def server_context(authority: trustme.CA, *names: str, days: float = 90, since: float = -1) -> ssl.SSLContext:
    """TLS with a certificate for `names` that is valid from `since` to `days`, in days from now."""
    leaf = authority.issue_cert(
        *names, not_before=NOW + timedelta(days=since), not_after=NOW + timedelta(days=days), common_name=names[0]
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


def self_signed(folder: Path, *names: x509.GeneralName) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alone.test")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=20))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    (folder / "cert").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    return context


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


async def test_https_with_an_own_authority_is_up_and_shows_the_certificate(check: Check, authority: trustme.CA) -> None:
    tls = server_context(authority, "127.0.0.1", "www.example.test")
    async with serving(answering(page()), tls) as port:
        report = await check("http", url=f"{HTTPS}:{port}/", ca_certificates=pem(authority))

    assert (report.status, report.reason) == (Status.UP, None)
    assert set(report.phases) == {"connect", "tls", "first_byte", "transfer"}
    assert report.evidence["tls"]["version"] == "TLSv1.3"
    assert report.evidence["tls"]["cipher"].startswith("TLS_")
    certificate = report.evidence["certificate"]
    assert certificate["names"] == ["www.example.test", "127.0.0.1"]
    assert (certificate["subject"], certificate["days_left"], certificate["covers_host"]) == ("127.0.0.1", 89, True)


async def test_an_expired_certificate_is_shown_although_it_is_refused(check: Check, authority: trustme.CA) -> None:
    tls = server_context(authority, "127.0.0.1", days=-2.5, since=-30)
    async with serving(answering(page()), tls) as port:
        report = await check("http", url=f"{HTTPS}:{port}/", ca_certificates=pem(authority))

    assert (report.status, report.reason, report.latency_ms) == (Status.DOWN, "certificate", None)
    assert str(report.message).startswith("the certificate of 127.0.0.1 expired on ")
    assert report.evidence["certificate"]["days_left"] == -3
    assert report.evidence["address"] == f"127.0.0.1:{port}"


async def test_other_certificates_that_are_refused(check: Check, authority: trustme.CA, tmp_path: Path) -> None:
    stranger = trustme.CA(organization_name="Stranger")
    cases = [
        (server_context(authority, "other.test"), "is not for 127.0.0.1, only for other.test"),
        (server_context(authority, "127.0.0.1", since=3), "is not valid yet, only from "),
        (server_context(stranger, "127.0.0.1"), "comes from an unknown authority"),
        (self_signed(tmp_path), "is self-signed"),
    ]
    for tls, words in cases:
        async with serving(answering(page()), tls) as port:
            report = await check("http", url=f"{HTTPS}:{port}/", ca_certificates=pem(authority))
        assert (report.status, report.reason) == (Status.DOWN, "certificate"), words
        assert words in str(report.message)
        assert "certificate" in report.evidence


async def test_an_unverified_certificate_is_up_and_still_described(check: Check, tmp_path: Path) -> None:
    async with serving(answering(page()), self_signed(tmp_path)) as port:
        report = await check("http", url=f"{HTTPS}:{port}/", verify_tls=False, certificate_days=5)

    assert report.status is Status.UP
    assert report.evidence["certificate"]["subject"] == "alone.test"
    assert report.evidence["certificate"]["covers_host"] is False


@pytest.mark.parametrize(("days", "status"), [(14, Status.DEGRADED), (3, Status.UP), (0, Status.UP)])
async def test_a_certificate_near_its_end_is_degraded(
    check: Check, authority: trustme.CA, days: int, status: Status
) -> None:
    async with serving(answering(page()), server_context(authority, "127.0.0.1", days=5)) as port:
        report = await check("http", url=f"{HTTPS}:{port}/", ca_certificates=pem(authority), certificate_days=days)

    assert report.status is status
    if status is Status.DEGRADED:
        assert report.reason == "certificate_expiry"
        assert "ends in 4 days" in str(report.message)


async def test_a_certificate_on_the_way_counts_as_well(check: Check, authority: trustme.CA) -> None:
    async with serving(answering(page())) as last:
        hop = answering(page(b"", "302 Found", f"Location: http://127.0.0.1:{last}/\r\n"))
        async with serving(hop, server_context(authority, "127.0.0.1", days=5)) as first:
            report = await check("http", url=f"{HTTPS}:{first}/", ca_certificates=pem(authority))

    assert (report.status, report.reason) == (Status.DEGRADED, "certificate_expiry")


async def test_failed_handshakes(check: Check) -> None:
    async with serving(answering(page())) as port:
        plain = await check("http", url=f"{HTTPS}:{port}/", timeout=0.3)
    async with serving(silent) as port:
        mute = await check("http", url=f"{HTTPS}:{port}/", timeout=0.3)
    async with serving(resetting) as port:
        cut = await check("http", url=f"{HTTPS}:{port}/")

    assert (plain.status, plain.reason) == (
        Status.DOWN,
        "timeout",
    )  # waits for the end of a request, as a web server does
    assert (mute.reason, "waiting for the TLS handshake" in str(mute.message)) == ("timeout", True)
    assert cut.reason == "reset"


async def test_a_server_that_does_not_speak_tls(check: Check) -> None:
    async def talkative(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.test ESMTP\r\n")
        await writer.drain()
        await reader.read()

    async with serving(talkative) as port:
        report = await check("http", url=f"{HTTPS}:{port}/")

    assert (report.status, report.reason) == (Status.DOWN, "tls")
    assert "does not speak TLS" in str(report.message)


async def test_a_server_with_nothing_in_common_with_us(check: Check, authority: trustme.CA) -> None:
    tls = server_context(authority, "127.0.0.1")
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers("ECDHE-RSA-AES256-SHA")
    async with serving(answering(page()), tls) as port:
        report = await check("http", url=f"{HTTPS}:{port}/", ca_certificates=pem(authority))

    assert (report.status, report.reason) == (Status.DOWN, "tls")


async def test_fifty_parallel_checks_never_mix_their_options(check: Check, authority: trustme.CA) -> None:  # TRAP 15
    stranger = trustme.CA()
    tls = server_context(authority, "127.0.0.1")

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(page(head))
        await writer.drain()

    async with serving(echo, tls) as port:
        url = f"{HTTPS}:{port}/"
        policies: list[tuple[dict[str, Any], str | None]] = [
            ({"ca_certificates": pem(authority)}, None),
            ({"ca_certificates": pem(stranger)}, "certificate"),
            ({"verify_tls": False}, None),
            ({}, "certificate"),
            ({"verify_tls": False, "ca_certificates": pem(stranger)}, None),
        ]
        wanted = [(number, *policies[number % len(policies)]) for number in range(50)]
        reports = await asyncio.gather(
            *(
                check("http", url=url, keyword=f"x-me: {n}\r\n", headers={"X-Me": str(n)}, **policy)
                for n, policy, _ in wanted
            )
        )

    assert [report.reason for report in reports] == [reason for _, _, reason in wanted]


def test_equal_policies_share_a_context_and_unequal_ones_do_not(authority: trustme.CA) -> None:
    contexts = TlsContexts()
    assert contexts.of(Demand()) is contexts.of(Demand())
    assert contexts.of(Demand(verify=False)) is not contexts.of(Demand())
    assert contexts.of(Demand(authorities=pem(authority))) is not contexts.of(Demand())


async def test_a_certificate_without_key_identifiers_is_no_reason_to_refuse(check: Check, tmp_path: Path) -> None:
    """OpenSSL's strict mode, which newer Pythons turn on, refuses it; browsers do not."""
    tls = self_signed(tmp_path, x509.DNSName("localhost"))
    async with serving(answering(page()), tls) as port:
        own = (tmp_path / "cert").read_text()
        report = await check("http", url=f"https://localhost:{port}/", ca_certificates=own, ip_version="4")

    assert (report.status, report.reason) == (Status.UP, None)
    for verify in (True, False):
        assert not new_context(Demand(verify=verify)).verify_flags & ssl.VERIFY_X509_STRICT


def test_contexts_do_not_pile_up(authority: trustme.CA) -> None:
    contexts = TlsContexts()
    contexts.MOST = 3
    for number in range(9):
        contexts.of(Demand(authorities=pem(authority) + "\n" * number))
    assert len(contexts._made) == 3


async def test_failed_handshakes_leave_no_descriptor_and_no_memory(
    check: Check, authority: trustme.CA, descriptors: Callable[[], int]
) -> None:
    def held() -> int:
        return sum(isinstance(thing, TlsSocket) for thing in gc.get_objects())

    await check("http", url=f"{HTTPS}:1/")
    before = descriptors()
    gc.collect()
    gc.disable()  # what is left to the collector piles up, at 10 kB a handshake
    try:
        async with serving(answering(page()), server_context(authority, "127.0.0.1")) as port:
            for _ in range(5):
                assert (await check("http", url=f"{HTTPS}:{port}/")).reason == "certificate"
            assert held() == 0
    finally:
        gc.enable()
    assert await gone(descriptors, before)


@pytest.mark.parametrize(
    ("name", "host", "covered"),
    [
        ("example.test", "EXAMPLE.test.", True),
        ("*.example.test", "www.example.test", True),
        ("*.example.test", "example.test", False),
        ("*.example.test", "a.b.example.test", False),
        ("*.example.test", ".example.test", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "0:0::1", True),
        ("example.test", "other.test", False),
    ],
)
def test_which_names_cover_which_hosts(name: str, host: str, covered: bool) -> None:
    assert covers(("first.test", name), host) is covered
