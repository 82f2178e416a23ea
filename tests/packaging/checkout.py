"""The checkout, and parts of it in a folder of their own, with stand-ins for the programs that scripts call."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Workshop:
    """A folder with our scripts, where `stand_in` programs come first on PATH and keep a record of their calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls_file = folder / "calls"
        self._bin = folder / "bin"
        self._bin.mkdir()
        for name in ("scripts", ".ci"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy(ROOT / ".env.example", folder)

    def stand_in(self, name: str, script: str = "") -> Path:
        """A program `name` that notes its arguments and then runs `script`."""
        path = self._bin / name
        path.write_text(f'#!/usr/bin/env bash\necho "{name} $*" >>"{self.calls_file}"\n{script}\n')
        path.chmod(0o755)
        return path

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []

    def start(self, script: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.folder / script), *arguments],
            env=self._environment(variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, script: str, *arguments: str, said: str = "", **variables: str) -> tuple[int, str]:
        """Exit code and output of a script that reads `said`."""
        process = self.start(script, *arguments, **variables)
        output, _ = process.communicate(said, timeout=60)
        return process.returncode, output

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        theirs = ("PINGUIN_", "MAKE", "ARGS")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
        return {**inherited, "PATH": f"{self._bin}:{os.environ['PATH']}", **variables}
