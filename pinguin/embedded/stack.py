"""Everything that Pinguin needs on one machine: a database and a Valkey, in one folder, on unix sockets."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

from pinguin.embedded.database import EmbeddedDatabase
from pinguin.embedded.lock import FolderLock
from pinguin.embedded.node import default_front, find_node, install_front
from pinguin.embedded.sockets import remove_if_empty, socket_folder
from pinguin.embedded.supervisor import Child, Supervisor
from pinguin.embedded.valkey import EmbeddedValkey, find_server
from pinguin.errors import PinguinError
from pinguin.secrets import make_key_file


class EmbeddedStack:
    """`supervisor` starts more children; they are stopped before the database and Valkey."""

    supervisor: Supervisor
    database: EmbeddedDatabase
    valkey: EmbeddedValkey
    database_child: Child
    valkey_child: Child
    secret_key_file: Path

    def __init__(self, folder: Path, *, database_options: tuple[str, ...] = (), appendfsync: str = "everysec") -> None:
        self.folder = folder.resolve()
        self._database_options = database_options
        self._appendfsync = appendfsync
        self._exit = AsyncExitStack()

    @property
    def database_url(self) -> str:
        """A libpq URI: for psycopg and psql."""
        return self.database.url

    @property
    def redis_url(self) -> str:
        return self.valkey.url

    async def start(self) -> None:
        """Raises PinguinError when the folder is in use, or when something is missing."""
        async with AsyncExitStack() as exit_stack:
            await self._start(exit_stack)
            self._exit = exit_stack.pop_all()

    async def stop(self) -> None:
        await self._exit.aclose()

    async def _start(self, exit_stack: AsyncExitStack) -> None:
        logs = self.folder / "logs"
        lock = await _claim(self.folder, logs)
        exit_stack.callback(lock.release)
        sockets = socket_folder(self.folder)
        exit_stack.callback(remove_if_empty, sockets)
        self.secret_key_file = make_key_file(self.folder)
        self.node = find_node()
        given_up = Event()
        exit_stack.callback(given_up.set)
        self.front = await asyncio.to_thread(install_front, default_front(self.folder), given_up)
        self.database = EmbeddedDatabase(
            self.folder / "database",
            sockets,
            node=self.node,
            front=self.front,
            options=self._database_options,
        )
        self.valkey = EmbeddedValkey(
            self.folder / "valkey", sockets, server=find_server(), appendfsync=self._appendfsync
        )
        self.supervisor = Supervisor(logs)
        exit_stack.push_async_callback(self.supervisor.stop)
        self.database_child = await self.database.start(self.supervisor, lock, logs)
        self.valkey_child = await self.valkey.start(self.supervisor, lock)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def _claim(folder: Path, logs: Path) -> FolderLock:
    """The lock, also where we are cancelled while a thread takes it: then it is given back."""
    claiming = asyncio.ensure_future(asyncio.to_thread(_claimed, folder, logs))
    try:
        return await asyncio.shield(claiming)
    except asyncio.CancelledError:
        with suppress(PinguinError):
            (await claiming).release()
        raise


def _claimed(folder: Path, logs: Path) -> FolderLock:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        logs.mkdir(mode=0o700, exist_ok=True)
        return FolderLock(folder)
    except OSError as error:
        raise PinguinError(
            f"{folder}: the data cannot be kept there ({error.strerror}). "
            "Make it a folder that you may write to, or set PINGUIN_DATA_DIR to another one."
        ) from None
