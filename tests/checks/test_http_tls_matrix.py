"""Every kind of TLS server, and what the HTTP check says of each."""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pinguin.checks.engine import certificate, tls
from pinguin.checks.engine.secure import Demand
from pinguin.checks.runner import Report
from pinguin.model import Status
from tests.checks.certificates import DER, Made, key_of, make, server
from tests.checks.chains import LEAF, MIDDLE, NAMES, REFUSED, ROOT, STRANGER, showing
from tests.checks.conftest import Check
from tests.checks.servers import answering, page, serving
from tests.checks.starttls_servers import threaded, upgrading


def one_page(sock: socket.socket) -> None:
    sock.recv(65536)
    sock.sendall(page())


async def visit(check: Check, tls: ssl.SSLContext, **options: Any) -> Report:
    # In a thread: asyncio's servers close without the alert that says why.
    with threaded(upgrading(None, tls, one_page)) as port:
        return await check("http", url=f"https://127.0.0.1:{port}/", **{"ca_certificates": ROOT.pem, **options})


async def test_the_whole_chain_is_shown_to_its_root(check: Check) -> None:
    report = await visit(check, server(LEAF, MIDDLE))

    assert report.status is Status.UP, report.message
    assert [link["subject"] for link in report.evidence["chain"]] == ["127.0.0.1", "Test Middle", "Test Root"]
    assert report.evidence["chain"][1]["issuer"] == "Test Root"
    assert {link["days_left"] for link in report.evidence["chain"]} == {89}
    assert report.evidence["certificate"]["covers_host"] is True


async def test_without_verification_the_chain_is_what_was_sent(check: Check) -> None:
    report = await visit(check, server(LEAF, MIDDLE), verify_tls=False)

    assert [link["subject"] for link in report.evidence["chain"]] == ["127.0.0.1", "Test Middle"]


async def test_an_authority_that_ends_soon_is_seen(check: Check) -> None:
    middle = make("Ending Middle", ROOT, days=5)
    leaf = make("127.0.0.1", middle, names=NAMES)
    degraded = await visit(check, server(leaf, middle))
    met = await visit(check, server(leaf, middle), certificate_days=0, conditions=["certificate > 3 days"])
    unmet = await visit(check, server(leaf, middle), certificate_days=0, conditions=["certificate > 1 week"])

    assert (degraded.status, degraded.reason) == (Status.DEGRADED, "certificate_expiry")
    assert "Ending Middle ends in 4 days" in str(degraded.message)
    assert met.status is Status.UP
    assert (unmet.status, unmet.reason) == (Status.DOWN, "certificate_expiry")
    assert unmet.message == "the certificate ends in 4 days, expected > 1 week"


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize(("chain", "words"), REFUSED, ids=[words for _, words in REFUSED])
async def test_a_refused_chain_is_down_and_still_shown(
    check: Check, chain: tuple[Made, ...], words: str, version: str
) -> None:
    report = await visit(check, server(*chain, version=version))
    ignored = await visit(check, server(*chain, version=version), verify_tls=False, certificate_days=0)

    assert (report.status, report.reason, report.latency_ms) == (Status.DOWN, "certificate", None)
    assert words in str(report.message)
    assert len(report.evidence["chain"]) == len(chain)
    assert report.evidence["certificate"]["subject"]
    assert ignored.status is Status.UP


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("kind", ["p256", "p384", "rsa2048"])
async def test_chains_of_each_kind_of_key(check: Check, kind: str, version: str) -> None:
    root = make("Root", kind=kind)
    middle = make("Middle", root, kind=kind)
    leaf = make("leaf", middle, kind=kind, names=NAMES)
    report = await visit(check, server(leaf, middle, version=version), ca_certificates=root.pem)

    assert report.status is Status.UP, report.message
    assert report.evidence["tls"]["version"] == version.replace("_", ".")
    assert len(report.evidence["chain"]) == 3


async def test_a_chain_in_the_wrong_order_is_what_browsers_take(check: Check) -> None:
    upper = make("Upper", ROOT)
    lower = make("Lower", upper)
    report = await visit(check, server(make("leaf", lower, names=NAMES), upper, lower))

    assert report.status is Status.UP
    assert [link["subject"] for link in report.evidence["chain"]] == ["leaf", "Lower", "Upper", "Test Root"]


async def test_sha1_is_refused(check: Check) -> None:
    root = make("Root", kind="rsa2048")
    middle = make("Middle", root, kind="rsa2048", sha1=True)
    leaf = make("leaf", middle, kind="rsa2048", names=NAMES, sha1=True)
    report = await visit(check, server(leaf, middle), ca_certificates=root.pem)

    assert report.status is Status.DOWN
    assert report.reason in ("certificate", "tls")


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
async def test_old_versions_alone(check: Check, version: str) -> None:
    report = await visit(check, server(LEAF, MIDDLE, version=version))

    assert (report.status, report.reason) == (Status.DOWN, "tls")
    assert "does not speak TLS 1.2 or newer" in str(report.message)


async def test_the_oldest_version(check: Check) -> None:
    old = await visit(check, server(LEAF, MIDDLE, version="TLSv1_2"), tls_minimum="1.3")
    new = await visit(
        check, server(LEAF, MIDDLE, version="TLSv1_3"), tls_minimum="1.3", conditions=["tls version == TLSv1.3"]
    )

    assert (old.reason, "does not speak TLS 1.3 or newer" in str(old.message)) == ("tls", True)
    assert new.status is Status.UP


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
async def test_a_client_certificate_that_is_demanded(check: Check, version: str) -> None:
    mine, other = make("me", ROOT, names=("me.test",)), make("me", STRANGER, names=("me.test",))
    old = make("me", ROOT, names=("me.test",), days=-1, since=-9)
    context = server(LEAF, MIDDLE, version=version, clients=ROOT)
    shown = (None, other, old, mine)
    none, wrong, over, right = [await visit(check, context, **showing(identity)) for identity in shown]

    assert right.status is Status.UP, right.message
    for refused in (none, wrong, over):
        assert (refused.status, refused.reason) == (Status.DOWN, "tls")
        assert "client certificate" in str(refused.message)
    if version == "TLSv1_2":
        assert "demands a client certificate" in str(none.message)
        assert "refuses the client certificate" in str(wrong.message)


async def test_another_server_name(check: Check) -> None:
    asked: list[str | None] = []
    context = server(LEAF, MIDDLE)
    context.sni_callback = lambda sock, name, _: asked.append(name)
    right = await visit(check, context, server_name="www.example.test")
    wrong = await visit(check, context, server_name="mail.example.test")

    assert right.status is Status.UP
    assert asked == ["www.example.test", "mail.example.test"]
    assert right.evidence["certificate"]["covers_host"] is True
    assert "is not for mail.example.test, only for www.example.test" in str(wrong.message)


async def test_another_server_name_is_for_the_urls_own_host_alone(check: Check) -> None:
    asked: list[str | None] = []
    context = server(make("localhost", MIDDLE, names=("localhost",)), MIDDLE)
    context.sni_callback = lambda sock, name, _: asked.append(name)
    async with serving(answering(page()), context) as there:
        hop = page(b"", "302 Found", f"Location: https://localhost:{there}/\r\n")
        async with serving(answering(hop), server(LEAF, MIDDLE)) as port:
            report = await check(
                "http", url=f"https://127.0.0.1:{port}/", ca_certificates=ROOT.pem, server_name="www.example.test"
            )

    assert report.status is Status.UP, report.message
    assert asked == ["localhost"]


async def test_fifty_at_once_with_different_policies_do_not_mix(check: Check) -> None:  # TRAP 15
    mine = make("me", ROOT, names=("me.test",))
    guarded = server(LEAF, MIDDLE, clients=ROOT)
    new = server(LEAF, MIDDLE, version="TLSv1_2")
    async with serving(answering(page()), guarded) as first, serving(answering(page()), new) as second:
        policies: list[tuple[int, dict[str, Any], bool]] = [
            (first, showing(mine), True),
            (first, {}, False),
            (second, {"tls_minimum": "1.3"}, False),
            (second, {"http2": True}, True),
            (second, {"server_name": "other.test"}, False),
        ] * 10
        reports = await asyncio.gather(
            *(
                check("http", url=f"https://127.0.0.1:{port}/", ca_certificates=ROOT.pem, **options)
                for port, options, _ in policies
            )
        )

    assert [report.status is Status.UP for report in reports] == [good for _, _, good in policies]


def test_a_demand_and_its_key_are_not_printed() -> None:  # TRAP 24
    assert "hush" not in repr(Demand(client_key="hush", client_certificate="hush", authorities="hush"))


# Absurd certificates


def absurd(names: list[str], *, common: str = "127.0.0.1", until: datetime | None = None, serial: int = 5) -> Made:
    key = key_of("p256", "absurd")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    general: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    general.append(x509.IPAddress(ip_address("127.0.0.1")))
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(ROOT.name, subject, key.public_key(), serial)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(until or now + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName(general), critical=False)
        .sign(ROOT.key, hashes.SHA256())
    )
    return Made(built.public_bytes(DER), subject, key)


def with_negative_serial(made: Made) -> Made:
    """Signed anew by hand: no library makes one."""
    parsed = x509.load_der_x509_certificate(made.certificate)
    body = parsed.tbs_certificate_bytes
    changed = body.replace(b"\x02\x01\x05", b"\x02\x01\x85", 1)
    assert changed != body
    signature = ROOT.key.sign(changed, ec.ECDSA(hashes.SHA256()))
    after = made.certificate.index(body) + len(body)
    algorithm = made.certificate[after : after + 2 + made.certificate[after + 1]]
    bits = b"\x03" + bytes([len(signature) + 1]) + b"\x00" + signature
    whole = changed + algorithm + bits
    return Made(b"\x30\x82" + len(whole).to_bytes(2, "big") + whole, made.name, made.key)


ABSURD = {
    "three thousand names": lambda: absurd([f"host-{number}.example.test" for number in range(3000)]),
    "year 9999": lambda: absurd([], until=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    "negative serial": lambda: with_negative_serial(absurd([])),
    "weird names": lambda: absurd(["*", "*.*", "a" * 63 + ".test", "xn--", ".", "a..b"], common="☃\x00\n<script>'\";"),
}


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("kind", ABSURD)
async def test_an_absurd_certificate_is_described_and_no_crash(check: Check, kind: str) -> None:
    made = ABSURD[kind]()
    unverified = await visit(check, server(made), verify_tls=False, conditions=["certificate > 1 day"])
    verified = await visit(check, server(made))

    assert unverified.status is Status.UP, unverified.message
    assert len(unverified.evidence["chain"]) == 1 or "cut" in unverified.evidence
    assert verified.status in (Status.UP, Status.DOWN)
    assert verified.reason in (None, "certificate", "tls"), verified.message


async def test_large_certificates_do_not_pile_up(check: Check) -> None:
    before = certificate._kept.cache_info().currsize, tls._look.cache_info().currsize
    for number in range(3):
        made = absurd([f"host-{number}-{each}.example.test" for each in range(1500)])
        assert (await visit(check, server(made), verify_tls=False)).status is Status.UP

    assert (certificate._kept.cache_info().currsize, tls._look.cache_info().currsize) == before


def test_what_is_no_certificate_is_none() -> None:
    assert certificate.read(b"") is None
    assert certificate.read(b"\x30\x82" + bytes(50)) is None
