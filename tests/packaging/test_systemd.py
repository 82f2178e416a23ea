"""The example units: systemd accepts them, they start our commands, and they are closed up well."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pinguin.cli import parser
from tests.packaging.checkout import ROOT

UNITS = sorted((ROOT / "docs" / "systemd").glob("*.service"))
MOST_EXPOSURE = 2.0
"""On systemd's own scale from 0 to 10; a service without any care has 9.6."""


def service(unit: Path) -> dict[str, str]:
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment, method-assign]
    read.read(unit)
    return dict(read["Service"])


def test_there_is_one_for_each_process() -> None:
    assert [unit.stem for unit in UNITS] == ["pinguin-scheduler", "pinguin-web", "pinguin-worker"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_starts_our_command_and_starts_it_again(unit: Path) -> None:
    found = service(unit)
    command = found["ExecStart"].split()[1:]
    assert parser().parse_args(command).command == unit.stem.removeprefix("pinguin-")
    assert (found["Type"], found["Restart"]) == ("notify", "always")
    assert int(found["WatchdogSec"]) > 30, "later than Pinguin's own watchdog, which says more"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_accepts_it_and_finds_it_closed(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd here")
    here = tmp_path / unit.name
    here.write_text(unit.read_text().replace("/opt/pinguin/.venv/bin/pinguin", "/bin/true"))
    verified = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", here], capture_output=True, text=True, check=True
    )
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", judged.stdout)
    assert exposure is not None
    assert float(exposure[1]) < MOST_EXPOSURE
