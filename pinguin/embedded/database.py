"""The embedded database: PGlite with TimescaleDB in a Node process, behind our own front."""

from __future__ import annotations

import asyncio
import resource
from asyncio.subprocess import DEVNULL
from pathlib import Path

import structlog

from pinguin.embedded.child import spawn
from pinguin.embedded.lock import FolderLock
from pinguin.embedded.logfile import LogFile
from pinguin.embedded.sockets import DATABASE, database_url
from pinguin.embedded.supervisor import Child, Supervisor
from pinguin.errors import PinguinError

log = structlog.get_logger(__name__)

V8_STACK = 3900
"""KiB. Deep PL/pgSQL and jsonb end in a clean error there; it must fit in the thread's stack with room to spare."""


class EmbeddedDatabase:
    def __init__(self, folder: Path, sockets: Path, *, node: str, front: Path, options: tuple[str, ...] = ()) -> None:
        """`options`: more options for main.mjs, such as `--no-fsync`."""
        self.folder = folder
        self.socket = sockets / DATABASE
        self.url = database_url(sockets)
        self._node = [node, f"--stack-size={stack_size()}"]
        self._front = front
        self._options = options

    async def start(self, supervisor: Supervisor, lock: FolderLock, logs: Path) -> Child:
        if not (self.folder / "PG_VERSION").exists():
            await self._initialise(lock, LogFile(logs / "initialise.log"))
        self.socket.unlink(missing_ok=True)
        argv = [*self._node, str(self._front / "main.mjs"), "--data", str(self.folder)]
        argv += ["--socket", str(self.socket), "--lock-fd", str(lock.fd), *self._options]
        return await supervisor.start("database", argv, ready=self.answers, pass_fds=(lock.fd,), grace=30.0)

    async def answers(self) -> bool:
        """The front listens only when the database is open."""
        try:
            _, writer = await asyncio.open_unix_connection(self.socket)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    async def _initialise(self, lock: FolderLock, output: LogFile) -> None:
        """In a process of its own: PGlite makes a database under one name and opens it under another."""
        if self.folder.exists() and any(self.folder.iterdir()):
            raise PinguinError(f"{self.folder}: not a database, and not empty. Choose another data folder.")
        argv = [*self._node, str(self._front / "initialise.mjs"), str(self.folder)]
        with output.open() as fd:
            process = await spawn(argv, env={}, stdin=DEVNULL, output=fd, pass_fds=(lock.fd,))
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if code != 0:
            raise PinguinError(f"The database could not be made: {output.tail()}")


def stack_size() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
    return V8_STACK if soft == resource.RLIM_INFINITY else min(V8_STACK, soft // 1024 // 2)
