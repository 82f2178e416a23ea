"""`pinguin up`: the whole stack on this machine, without Docker, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys
from typing import Any

import httpx
import msgspec

from pinguin.db import connection, make_pool
from pinguin.embedded.lock import holder
from pinguin.embedded.stack import EmbeddedStack
from pinguin.errors import PinguinError
from pinguin.first_run import FirstRun
from pinguin.lifecycle import stop_on_signal
from pinguin.notify import Notifier
from pinguin.secrets import with_key_file
from pinguin.settings import Settings
from pinguin.setup import prepare_database
from pinguin.store.accounts import any_account

PROCESSES = ("scheduler", "worker", "web")


async def up(settings: Settings) -> int:
    """Start everything, print one address, stop everything on SIGINT or SIGTERM, whenever they come."""
    if owner := holder(settings.data):
        raise PinguinError(f"Pinguin runs already in {settings.data} (process {owner}); `make down` stops it")
    _refuse_taken_ports(settings)
    notifier = Notifier()
    stack = EmbeddedStack(settings.data)
    with stop_on_signal() as stop:
        _say(f"Starting the embedded database and Redis in {settings.data} …")
        starting = asyncio.create_task(_start(stack, settings, stop), name="start")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                _tell(settings, first_visit=starting.result())
                notifier.ready()
                await stop.wait()
            notifier.stopping()
            _say("Stopping …")
        finally:
            await _end(starting, stopping)
            await stack.stop()
    return 0


async def _end(*tasks: asyncio.Task[Any]) -> None:
    """Asks once alone: a start that is given up has children to end, and must not be disturbed at that."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _start(stack: EmbeddedStack, settings: Settings, stop: asyncio.Event) -> bool:
    """Returns when the pages answer: whether the first account is still to be made."""
    await stack.start()
    settings = with_key_file(
        msgspec.structs.replace(
            settings,
            database_url=stack.database_url,
            redis_url=stack.redis_url,
            base_url=settings.base_url or _address(settings),
        ),
        stack.secret_key_file,
    )
    for line in await prepare_database(settings):
        _say(f"  {line}")
    for name in PROCESSES:
        await stack.supervisor.start(
            name,
            [sys.executable, "-m", "pinguin", name],
            env=_environment(settings, name),
            grace=_grace(settings),
        )
    await _answers(_address(settings), stop)
    return not await _has_account(settings)


def _tell(settings: Settings, *, first_visit: bool) -> None:
    address = _address(settings)
    first = "The first visit makes your account. " if first_visit else ""
    _say(f"\n  Pinguin is ready:  {FirstRun(settings).address(address) if first_visit else address}\n")
    _say(f"  {first}Logs are in {settings.data / 'logs'}. Ctrl-C stops everything.\n")


async def _has_account(settings: Settings) -> bool:
    async with make_pool(settings.database_url, 1) as pool, connection(pool) as conn:
        return await any_account(conn)


def _grace(settings: Settings) -> float:
    """A worker may need its grace time twice: to finish its checks, and to see the results kept."""
    return 2 * settings.worker_grace_s + 5


def _environment(settings: Settings, name: str) -> dict[str, str]:
    if name == "worker":
        settings = msgspec.structs.replace(settings, health_port=_worker_health_port(settings))
    return settings.environment()


def _worker_health_port(settings: Settings) -> int:
    """Two processes cannot listen on one port. 0: none."""
    return settings.health_port % 65535 + 1 if settings.health_port else 0


def _say(line: str) -> None:
    print(line, flush=True)


def _address(settings: Settings) -> str:
    return f"http://{_for_people(settings.web_host)}:{settings.web_port}"


def _for_people(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _refuse_taken_ports(settings: Settings) -> None:
    """Another program on our port would answer in our place, or keep a process of ours from starting."""
    health, worker = settings.health_port, _worker_health_port(settings)
    wanted = [("WEB", settings.web_host, settings.web_port)]
    wanted += [("HEALTH", settings.health_host, port) for port in (health, worker) if port]
    with contextlib.ExitStack() as held:  # all at once: they may not be the same either
        for name, host, port in wanted:
            probe = held.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                probe.listen()
            except OSError as error:
                advice = f"stop what uses it, or set PINGUIN_{name}_PORT to another port"
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    advice = f"set PINGUIN_{name}_HOST to an address of this machine"
                raise PinguinError(f"cannot listen on {host}:{port} ({error.strerror}); {advice}") from None


async def _answers(address: str, stop: asyncio.Event) -> None:
    """Wait until the pages answer, or nobody wants them any more: Python 3.11 may have lost the cancellation before."""
    async with httpx.AsyncClient(timeout=2) as client:
        while not stop.is_set():
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(f"{address}/readyz")).is_success:
                    return
            await asyncio.sleep(0.1)
