"""The Dockerfile as a list of instructions, and its image as folders: paths of the image are moved below one folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.packaging.checkout import ROOT

Instruction = tuple[str, str]
OURS = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "PIP_NO_COMPILE": "0",
}
"""The image's `python` is ours. What pip installs is compiled when it is imported: to this switch, 0 says yes."""


def instructions() -> list[Instruction]:
    """(keyword, rest) of every instruction; lines continued by a backslash are joined."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(keyword, rest.strip()) for keyword, _, rest in (line.partition(" ") for line in lines)]


def build(root: Path) -> None:
    """Do in `root` what the Dockerfile's COPY, WORKDIR and RUN do in an image, with this machine's Python."""
    folder = root
    for keyword, rest in instructions():
        if keyword == "WORKDIR":
            folder = root / rest.lstrip("/")
            folder.mkdir()
        elif keyword == "COPY" and not rest.startswith("--from="):
            source, target = rest.split()
            _copy(source, root / target.lstrip("/") if target.startswith("/") else folder / target)
        elif keyword == "RUN":
            subprocess.run(below(rest, root), shell=True, cwd=folder, env=OURS, check=True, capture_output=True)


def _copy(source: str, to: Path) -> None:
    if (ROOT / source).is_dir():
        shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    else:
        shutil.copy(ROOT / source, to)


def below(command: str, root: Path) -> str:
    """`command` with absolute paths moved below `root`."""
    return re.sub(r"(?<![\w/])/(?=(venv|app|base\.lock)\b)", f"{root}/", command)
