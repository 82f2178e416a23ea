"""Where the unix sockets are: in the data folder when its path is short enough, else in a private temporary one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from urllib.parse import quote

from pinguin.errors import PinguinError

DATABASE = ".s.PGSQL.5432"
"""The name that libpq looks for in the folder given as host."""
VALKEY = "valkey.sock"
LONGEST = 100
"""Bytes of a socket's path: Linux has room for 107, macOS for 103."""


def socket_place(data: Path) -> Path:
    """Where the sockets of a stack with its data in `data` are, or would be."""
    data = data.resolve()
    folder = data / "sockets"
    if len(os.fsencode(folder / DATABASE)) > LONGEST:
        digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"pinguin-{os.getuid()}-{digest}"
    return folder


def socket_folder(data: Path) -> Path:
    """The same, made and private."""
    folder = socket_place(data)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _require_private(folder)
    return folder


def database_url(sockets: Path) -> str:
    """A libpq URI, for psycopg and psql."""
    return f"postgresql://postgres@/postgres?host={quote(str(sockets), safe='')}"


def redis_url(sockets: Path) -> str:
    return f"unix://{quote(str(sockets / VALKEY))}"


def remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _require_private(folder: Path) -> None:
    """In a folder for everyone's temporary files, somebody else may have made it first, or put a link there."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PinguinError(f"{folder}: must be a directory of our own. Remove it, or choose another data folder.")
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)
