"""Which addresses are private, in every disguise."""

from __future__ import annotations

import socket

import pytest

from pinguin.errors import SettingsError
from pinguin.guard import METADATA, Guard
from pinguin.settings import Settings

DENY = Guard(deny=True)

PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "127.0.0.1", "127.255.0.1", "169.254.1.1",
    "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.168.0.1", "198.18.0.1", "203.0.113.9", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%lo", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "100::1", "2001:db8::1",
    "2001::1", "3fff::1", "5f00::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:10.0.0.1", "::10.0.0.1",  # mapped, translated, compatible
    "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::",  # 6to4
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "64:ff9b:1::808:808",  # NAT64, and a network's own
    "2001:0:808:808::f5ff:fffe", "2001:0:a00:1::f7f7:f7f7",  # Teredo: client 10.0.0.1; server 10.0.0.1
    "fe80::5efe:8.8.8.8", "2a00::5efe:10.0.0.1", "2a00::200:5efe:10.0.0.1",  # ISATAP
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "198.17.255.255", "198.20.0.0",
    "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
]  # fmt: skip


@pytest.mark.parametrize("ip", PRIVATE)
def test_private_ones_are_refused(ip: str) -> None:
    assert DENY.refusal(ip) == "a private address"


@pytest.mark.parametrize("ip", PUBLIC)
def test_public_ones_are_not(ip: str) -> None:
    assert DENY.refusal(ip) == ""


@pytest.mark.parametrize("ip", PRIVATE)
def test_as_it_comes_private_ones_may_be_monitored(ip: str) -> None:
    assert Guard().refusal(ip) == ""


@pytest.mark.parametrize(
    "ip", [*sorted(map(str, METADATA)), "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"]
)
def test_where_clouds_keep_credentials_nobody_connects_to(ip: str) -> None:
    for guard in (Guard(), DENY):
        assert guard.refusal(ip) == "the metadata of a cloud's machines"


def test_exceptions_are_for_those_networks_alone() -> None:
    guard = Guard.of(Settings(private_targets="deny", private_networks="10.1.0.0/16,169.254.169.254,fd00:1::/32"))
    for ip in ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "169.254.169.254", "fd00:1::5", "8.8.8.8"):
        assert guard.refusal(ip) == "", ip
    for ip in (
        "10.2.0.1",
        "127.0.0.1",
        "fd00:2::1",
        "fd00:ec2::254",
        "fd99::5efe:10.1.2.3",
        "2001:0:a01:203::f5ff:fffe",
    ):
        assert guard.refusal(ip), ip


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "017700000001", "127.1", "0", "localhost", "0x7f.1"])
def test_however_the_host_is_written_the_address_is_what_counts(host: str) -> None:
    found = socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM)
    assert all(DENY.refusal(str(item[4][0])) for item in found)


def test_the_settings_are_strict() -> None:
    with pytest.raises(SettingsError, match=r"PRIVATE_NETWORKS: '10\.0\.0\.1/8' is no address or network"):
        Settings.from_environment({"PINGUIN_PRIVATE_NETWORKS": "fd00::/8,10.0.0.1/8"})
    with pytest.raises(SettingsError, match="PINGUIN_PRIVATE_TARGETS"):
        Settings.from_environment({"PINGUIN_PRIVATE_TARGETS": "perhaps"})


def test_verdicts_are_kept_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinguin.guard.MOST_KEPT", 3)
    guard = Guard(deny=True)
    for number in range(10):
        assert guard.refusal(f"10.0.0.{number}")
        assert guard.refusal(f"10.0.0.{number}")
    assert len(guard._verdicts) <= 3
