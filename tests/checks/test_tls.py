"""The matrix of TLS servers, and what the certificate check says of each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pinguin.checks import check_type
from pinguin.checks.counting import counted
from pinguin.checks.engine.chain import MOST_SHOWN, out_of_order, read_chain
from pinguin.checks.runner import Report
from pinguin.errors import InvalidInput
from pinguin.model import REASONS, Status
from tests.checks.certificates import Made, make, server
from tests.checks.chains import LEAF, MIDDLE, NAMES, REFUSED, ROOT, STRANGER, look
from tests.checks.conftest import Check, cancelled, gone
from tests.checks.servers import serving, silent
from tests.checks.starttls_servers import threaded, upgrading


def conditions(report: Report) -> dict[str, bool]:
    return {each["condition"]: each["met"] for each in report.evidence["conditions"]}


async def test_a_good_chain_is_up_with_every_certificate_of_it(check: Check) -> None:
    report = await look(check, LEAF, MIDDLE, ROOT)

    assert (report.status, report.reason) == (Status.UP, None)
    assert set(report.phases) == {"connect", "tls"}
    assert report.evidence["tls"]["version"] == "TLSv1.3"
    assert [link["subject"] for link in report.evidence["chain"]] == ["127.0.0.1", "Test Middle", "Test Root"]
    assert {link["days_left"] for link in report.evidence["chain"]} == {89}
    assert report.evidence["chain"][0]["key"] == "ECDSA 256"
    assert report.evidence["certificate"]["covers_host"] is True
    assert all(conditions(report).values())
    assert report.latency_ms == pytest.approx(sum(report.phases.values()))


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("kind", ["p256", "p384", "rsa2048"])
async def test_chains_of_each_kind_of_key(check: Check, kind: str, version: str) -> None:
    root = make("Root", kind=kind)
    middle = make("Middle", root, kind=kind)
    report = await look(check, make("leaf", middle, kind=kind, names=NAMES), middle, root, version=version)

    assert report.status is Status.UP
    assert report.evidence["tls"]["version"] == version.replace("_", ".")
    assert {link["key"] for link in report.evidence["chain"]} == {
        {"p256": "ECDSA 256", "p384": "ECDSA 384", "rsa2048": "RSA 2048"}[kind]
    }


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize(("chain", "words"), REFUSED, ids=[words for _, words in REFUSED])
async def test_a_refused_chain_is_down_and_still_shown(
    check: Check, chain: tuple[Made, ...], words: str, version: str
) -> None:
    report = await look(check, *chain, ROOT, version=version)

    assert (report.status, report.reason, report.latency_ms) == (Status.DOWN, "certificate", None)
    assert words in str(report.message)
    assert len(report.evidence["chain"]) == len(chain)
    assert "certificate" in report.evidence
    assert report.evidence["address"]


async def test_an_expired_certificate_above_the_leaf_is_named(check: Check) -> None:
    middle = make("Old Middle", ROOT, days=-1.5, since=-30)
    report = await look(check, make("leaf", middle, names=NAMES), middle, ROOT)

    assert (report.status, report.reason) == (Status.DOWN, "certificate")
    assert "certificate Old Middle, in the chain of 127.0.0.1, expired on" in str(report.message)


async def test_without_verification_the_rest_still_counts(check: Check) -> None:
    alone = make("alone", names=("other.test",))
    up = await look(check, alone, STRANGER, verify_tls=False)
    old = await look(check, make("old", names=NAMES, days=-2.5, since=-9), STRANGER, verify_tls=False)

    assert up.status is Status.UP
    assert up.evidence["certificate"]["covers_host"] is False
    assert (old.status, old.reason) == (Status.DOWN, "certificate_expiry")
    assert "expired 3 days ago" in str(old.message)


@pytest.mark.parametrize(
    ("days", "warning", "critical", "status"),
    [
        (30, 21, 3, Status.UP),
        (10, 21, 3, Status.DEGRADED),
        (2, 21, 3, Status.DOWN),
        (2, 21, 0, Status.DEGRADED),
        (2, 0, 0, Status.UP),
        (2, 0, 3, Status.DOWN),
    ],
)
async def test_days_left(check: Check, days: int, warning: int, critical: int, status: Status) -> None:
    leaf = make("leaf", MIDDLE, names=NAMES, days=days)
    report = await look(check, leaf, MIDDLE, ROOT, warning_days=warning, critical_days=critical)

    assert (report.status, report.reason) == (status, None if status is Status.UP else "certificate_expiry")
    if report.message:
        assert f"the certificate leaf ends in {counted(days - 1, 'day')}, on " in report.message


async def test_the_first_certificate_to_end_counts_wherever_it_stands(check: Check) -> None:
    middle = make("Short Middle", ROOT, days=5)
    report = await look(check, make("leaf", middle, names=NAMES), middle, ROOT)
    assert (report.status, report.reason) == (Status.DEGRADED, "certificate_expiry")
    assert "Short Middle ends in 4 days" in str(report.message)


async def test_a_chain_in_the_wrong_order_works_and_is_degraded(check: Check) -> None:
    upper = make("Upper", ROOT)
    lower = make("Lower", upper)
    leaf = make("leaf", lower, names=NAMES)
    wrong = await look(check, leaf, upper, lower, ROOT)
    silenced = await look(check, leaf, upper, lower, ROOT, check_order=False)
    right = await look(check, leaf, lower, upper, ROOT)

    assert (wrong.status, wrong.reason) == (Status.DEGRADED, "certificate")
    assert wrong.message == ("127.0.0.1 sends its chain in the wrong order: Upper did not sign what stands before it")
    assert (silenced.status, right.status) == (Status.UP, Status.UP)


def test_a_root_that_is_sent_too_is_in_order() -> None:
    assert out_of_order(read_chain([each.certificate for each in (LEAF, MIDDLE, ROOT)])) is None
    assert read_chain([b"nonsense"]) == []


async def test_sha1_is_down_unless_it_is_allowed(check: Check) -> None:
    root = make("Root", kind="rsa2048")
    leaf = make("leaf", root, kind="rsa2048", names=NAMES, sha1=True)
    down = await look(check, leaf, root)
    allowed = await look(check, leaf, root, allow_sha1=True)
    old_root = make("Root", kind="rsa2048", sha1=True)
    by_root = await look(check, make("leaf", old_root, kind="rsa2048", names=NAMES), old_root)

    assert (down.status, down.reason) == (Status.DOWN, "certificate")
    assert down.message == "the certificate leaf is signed with SHA-1, which can be forged"
    assert (allowed.status, by_root.status) == (Status.UP, Status.UP)


async def test_short_keys(check: Check) -> None:
    root = make("Root", kind="rsa2048")
    weak = make("weak", root, kind="rsa1024", names=NAMES)
    down = await look(check, weak, root)
    allowed = await look(check, weak, root, minimum_rsa_bits=1024)
    demanding = await look(check, LEAF, MIDDLE, ROOT, minimum_ec_bits=384)

    assert (down.status, down.reason) == (Status.DOWN, "certificate")
    assert down.message == "the RSA key of weak has 1024 bits; 2048 is the least"
    assert allowed.status is Status.UP
    assert "the ECDSA key of 127.0.0.1 has 256 bits; 384 is the least" in str(demanding.message)


@pytest.mark.parametrize(("wanted", "status"), [("test mid", Status.UP), ("Let's Encrypt", Status.DOWN)])
async def test_the_issuer(check: Check, wanted: str, status: Status) -> None:
    report = await look(check, LEAF, MIDDLE, ROOT, issuer_contains=wanted)
    assert report.status is status
    if status is Status.DOWN:
        assert report.message == "the certificate was issued by CN=Test Middle, not by “Let's Encrypt”"


async def test_fingerprints(check: Check) -> None:
    (link,) = read_chain([LEAF.certificate])
    colons = ":".join(link.fingerprint[i : i + 2] for i in range(0, 64, 2)).upper()
    right = await look(check, LEAF, MIDDLE, ROOT, fingerprints=["0" * 64, colons])
    wrong = await look(check, LEAF, MIDDLE, ROOT, fingerprints=["0" * 64])

    assert right.status is Status.UP
    assert (wrong.status, wrong.reason) == (Status.DOWN, "certificate")
    assert link.fingerprint in str(wrong.message)


async def test_what_is_wrong_is_told_at_once_the_worst_first(check: Check) -> None:
    report = await look(check, make("leaf", MIDDLE, names=NAMES, days=5), MIDDLE, ROOT, issuer_contains="nobody")

    assert (report.status, report.reason) == (Status.DOWN, "certificate")
    assert str(report.message).index("not by “nobody”") < str(report.message).index("ends in 4 days")
    assert list(conditions(report).values()).count(False) == 2


async def test_a_certificate_for_thousands_of_names(check: Check) -> None:
    leaf = make("wide", MIDDLE, names=(*(f"host-{n}.example.test" for n in range(3000)), "127.0.0.1"))
    up = await look(check, leaf, MIDDLE, ROOT)
    down = await look(check, leaf, MIDDLE, ROOT, server_name="other.test")
    assert (up.status, down.reason) == (Status.UP, "certificate")
    assert up.evidence["certificate"]["covers_host"] is True
    assert "host-4.example.test" in str(down.message)
    assert "host-5.example.test" not in str(down.message)
    assert len(repr(up.evidence)) < 5000


async def test_a_long_chain(check: Check) -> None:
    chain = [ROOT]
    for number in range(8):
        chain.insert(0, make(f"Level {number}", chain[0]))
    report = await look(check, make("leaf", chain[0], names=NAMES), *chain)
    assert report.status is Status.UP
    assert len(report.evidence["chain"]) == MOST_SHOWN


async def test_fifty_at_once_with_different_policies_do_not_mix(check: Check) -> None:  # TRAP 15
    other = make("Other Root")
    theirs = make("leaf", other, names=NAMES)
    our_server, their_server = upgrading(None, server(LEAF, MIDDLE)), upgrading(None, server(theirs))
    with threaded(our_server) as ours, threaded(their_server) as foreign:
        policies: list[tuple[int, dict[str, Any], str | None]] = [
            (ours, {"ca_certificates": ROOT.pem}, None),
            (foreign, {"ca_certificates": ROOT.pem}, "certificate"),
            (foreign, {"ca_certificates": other.pem}, None),
            (ours, {"verify_tls": False}, None),
            (ours, {"ca_certificates": ROOT.pem, "minimum_ec_bits": 384}, "certificate"),
        ] * 10
        calls = [check("tls", host="127.0.0.1", port=port, **options) for port, options, _ in policies]
        reports = await asyncio.gather(*calls)
    assert [report.reason for report in reports] == [reason for _, _, reason in policies]


async def test_cancelling_leaves_no_descriptor(check: Check, descriptors: Callable[[], int]) -> None:
    before = descriptors()
    async with serving(silent) as port:
        calls = [check("tls", host="127.0.0.1", port=port, starttls=kind) for kind in ("no", "smtp", "postgres") * 5]
        await cancelled(calls, descriptors)
    assert await gone(descriptors, before)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("host", {"host": "https://example.org"}),
        ("port", {"port": 0}),
        ("starttls", {"starttls": "gopher"}),
        ("server_name", {"server_name": "a b"}),
        ("critical_days", {"warning_days": 5, "critical_days": 6}),
        ("warning_days", {"warning_days": 366}),
        ("tls_minimum", {"tls_minimum": "0.9"}),
        ("minimum_rsa_bits", {"minimum_rsa_bits": -1}),
        ("fingerprints", {"fingerprints": ["abc"]}),
        ("ca_certificates", {"ca_certificates": "nonsense"}),
        ("client_key", {"client_certificate": LEAF.pem}),
        ("client_key", {"client_certificate": LEAF.pem, "client_key": MIDDLE.key_pem}),
        ("client_certificate", {"client_key": LEAF.key_pem}),
        ("client_certificate", {"client_certificate": LEAF.pem + LEAF.key_pem, "client_key": LEAF.key_pem}),
        ("client_certificate", {"client_certificate": LEAF.key_pem, "client_key": LEAF.pem}),
        ("ca_certificates", {"ca_certificates": LEAF.pem + LEAF.key_pem}),
    ],
)
def test_a_bad_option_is_refused_by_its_name(name: str, options: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_type("tls").parse({"host": "example.org", **options})
    assert list(refused.value.fields) == [name]
    assert "PRIVATE KEY" not in str(refused.value)


def test_an_encrypted_key_is_refused_rather_than_asked_about() -> None:
    from cryptography.hazmat.primitives import serialization

    how = serialization.BestAvailableEncryption(b"x")
    locked = LEAF.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how).decode()
    with pytest.raises(InvalidInput) as refused:
        check_type("tls").parse({"host": "example.org", "client_certificate": LEAF.pem, "client_key": locked})
    assert list(refused.value.fields) == ["client_key"]


def test_targets_and_reasons() -> None:
    assert check_type("tls").parse({"host": "::1"}).target() == "[::1]:443"
    assert {"tls", "certificate", "certificate_expiry"} <= set(REASONS)
