"""The Dockerfile: a linter's opinion, and what we promise of the image."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.packaging.checkout import ROOT
from tests.packaging.dockerfile import instructions


def values(keyword: str) -> list[str]:
    return [rest for name, rest in instructions() if name == keyword]


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.stdout == ""


def test_it_has_two_stages_on_the_same_pinned_image() -> None:
    bases = [rest.split()[0] for rest in values("FROM")]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+", bases[0])


def test_the_process_is_nobody_special() -> None:
    keywords = [keyword for keyword, _ in instructions()]
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", values("USER")[0])
    assert keywords.index("USER") > max(i for i, keyword in enumerate(keywords) if keyword in ("COPY", "RUN"))


def test_packages_come_from_the_lock_by_hash_as_wheels() -> None:
    install = next(rest for rest in values("RUN") if "-m pip " in rest)
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install
    assert "-r /base.lock" in install


def test_the_build_sees_only_what_is_copied() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied = {rest.split()[0] for rest in values("COPY") if not rest.startswith("--from=")}
    assert "*" in ignored
    assert copied == allowed
