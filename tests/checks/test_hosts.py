"""The hosts file: what it answers, and that it is read anew when it changes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pinguin.checks.contract import Context, Resources
from pinguin.checks.engine import resolve
from pinguin.checks.engine.hosts import HostsFile
from pinguin.checks.engine.resolve import Address, Resolver

FIRST = "passwd: files\nhosts: files dns\n"


@pytest.fixture
def hosts(tmp_path: Path) -> HostsFile:
    (tmp_path / "switch").write_text(FIRST)
    (tmp_path / "hosts").write_text("127.0.0.1 here.test Here  # not.this\n\n::1 six.test\nlonely\n# off.test\n")
    return HostsFile(str(tmp_path / "hosts"), str(tmp_path / "switch"))


@pytest.mark.parametrize(
    ("name", "family", "answered"),
    [
        ("here.test", socket.AF_INET, True),
        ("HERE", socket.AF_UNSPEC, True),
        ("here.test", socket.AF_INET6, False),
        ("six.test", socket.AF_INET6, True),
        ("not.this", socket.AF_UNSPEC, False),
        ("off.test", socket.AF_UNSPEC, False),
        ("lonely", socket.AF_UNSPEC, False),
    ],
)
def test_which_names_the_file_answers(hosts: HostsFile, name: str, family: int, answered: bool) -> None:
    assert hosts.answers(name, family) is answered


def test_a_changed_file_is_read_anew(hosts: HostsFile, tmp_path: Path) -> None:
    assert not hosts.answers("new.test", socket.AF_INET)
    (tmp_path / "hosts").write_text("127.0.0.1 new.test\n")
    assert hosts.answers("new.test", socket.AF_INET)
    (tmp_path / "hosts").unlink()
    assert not hosts.answers("new.test", socket.AF_INET)


@pytest.mark.parametrize("switch", ["hosts: dns files\n", "hosts: mymachines files\n", "", None])
def test_where_others_are_asked_first_the_file_answers_nothing(tmp_path: Path, switch: str | None) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 here.test\n")
    if switch is not None:
        (tmp_path / "switch").write_text(switch)
    hosts = HostsFile(str(tmp_path / "hosts"), str(tmp_path / "switch"))
    assert not hosts.answers("here.test", socket.AF_INET)


async def test_an_answer_of_the_file_is_kept_until_the_file_changes(
    hosts: HostsFile, tmp_path: Path, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def look_up(host: str, port: int, family: int, flags: int) -> list[Address]:
        asked.append(host)
        return [Address(socket.AF_INET, ("127.0.0.1", port))]

    monkeypatch.setattr(resolve, "_look_up", look_up)
    resolver, context = Resolver(hosts), Context(timeout=60, resources=resources)
    try:
        for name in ("here.test", "here.test", "elsewhere.test", "elsewhere.test"):
            await resolver.addresses(name, 80, socket.AF_INET, context)
        assert asked == ["here.test", "elsewhere.test", "elsewhere.test"]
        (tmp_path / "hosts").write_text("127.0.0.2 here.test\n")
        await resolver.addresses("here.test", 80, socket.AF_INET, context)
        assert asked[3:] == ["here.test"]
    finally:
        resolver.close()
