"""What the image and the compose file run, run here: the Dockerfile's steps in a folder, then every command and health
check of the stack against a real database and Redis, with the image's own packages."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
from asyncio.subprocess import DEVNULL
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

import pinguin
from pinguin.db import Pool
from pinguin.embedded.valkey import find_server
from tests.conftest import Services
from tests.packaging import compose, dockerfile

SERVICES = compose.services()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's folders /venv and /app."""
    root = tmp_path_factory.mktemp("image")
    dockerfile.build(root)
    return root


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class Container:
    """A service's process, with nothing in its environment but what the image and the compose file put there."""

    def __init__(self, name: str, image: Path, stack: Services) -> None:
        self.service: dict[str, Any] = SERVICES[name]
        self._image = image
        self._ports = {"8080": free_port(), "8081": free_port()}  # here all share one network
        self._environment = {
            **compose.environment(self.service),
            "PATH": f"{image}/venv/bin:{os.environ['PATH']}",
            "PINGUIN_DATABASE_URL": stack.database_url,
            "PINGUIN_REDIS_URL": stack.redis_url,
            "PINGUIN_WEB_PORT": self._ports["8080"],
            "PINGUIN_HEALTH_PORT": self._ports["8081"],
        }

    def run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self._command(), cwd=self._app, env=self._environment, capture_output=True, text=True)

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command(), cwd=self._app, env=self._environment)

    async def healthy(self) -> bool:
        """Ask as the compose file does, until it says yes."""
        for _ in range(60):
            if await self.answers():
                return True
            await asyncio.sleep(0.5)
        return False

    async def answers(self) -> bool:
        command = self.service["healthcheck"]["test"][1:]
        for port, ours in self._ports.items():
            command = [word.replace(f":{port}/", f":{ours}/") for word in command]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=self._app, env=self._environment, stdout=DEVNULL, stderr=DEVNULL
        )
        return await process.wait() == 0

    @property
    def _app(self) -> Path:
        return self._image / "app"

    def _command(self) -> list[str]:
        return [str(self._image / "venv/bin/python"), "-m", "pinguin", *self.service["command"]]


def test_the_image_says_what_it_can_do(image: Path) -> None:
    command = [str(image / "venv/bin/python"), "-m", "pinguin", "--help"]
    done = subprocess.run(command, cwd=image / "app", capture_output=True, text=True, check=True)
    assert "scheduler" in done.stdout


def test_the_image_describes_its_api(image: Path) -> None:
    """Our modules are copied there, not installed: there is no metadata to ask for the version."""
    described = "from pinguin.web.api.routes import described; print(described().decode())"
    command = [str(image / "venv/bin/python"), "-c", described]
    done = subprocess.run(command, cwd=image / "app", capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["info"]["version"] == pinguin.__version__


async def test_every_process_starts_becomes_healthy_and_stops(
    image: Path, stack: Services, pool: Pool, redis: Any
) -> None:
    assert Container("migrate", image, stack).run().returncode == 0
    containers = {name: Container(name, image, stack) for name in ("scheduler", "worker", "web")}
    started = {name: container.start() for name, container in containers.items()}
    try:
        for name, container in containers.items():
            assert await container.healthy(), name
    finally:
        for process in started.values():
            process.send_signal(signal.SIGTERM)
        codes = {name: process.wait(20) for name, process in started.items()}
    assert codes == {"scheduler": 0, "worker": 0, "web": 0}


@pytest.mark.parametrize("name", ["scheduler", "worker", "web"])
async def test_what_does_not_run_is_not_healthy(name: str, image: Path, stack: Services) -> None:
    assert not await Container(name, image, stack).answers()


def test_the_health_check_of_the_database(stack: Services) -> None:
    address = psycopg.conninfo.conninfo_to_dict(stack.database_url)
    command = [word.replace("127.0.0.1", str(address["host"])) for word in SERVICES["db"]["healthcheck"]["test"][1:]]
    assert subprocess.run([*command, f"--port={address.get('port', 5432)}"], capture_output=True).returncode == 0
    nowhere = [word.replace("127.0.0.1", "/nonexistent") for word in SERVICES["db"]["healthcheck"]["test"][1:]]
    assert subprocess.run(nowhere, capture_output=True).returncode != 0


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Path]:
    """A server started by the compose file's command; its socket."""
    sock = tmp_path / "s"
    _, *options = SERVICES["redis"]["command"]
    elsewhere = ["--port", "0", "--unixsocket", str(sock), "--dir", str(tmp_path)]
    process = subprocess.Popen([find_server(), *options, *elsewhere], stdout=subprocess.DEVNULL)
    yield sock
    process.terminate()
    process.wait(10)


async def test_the_command_and_the_health_check_of_redis(valkey: Path) -> None:
    program, *arguments = SERVICES["redis"]["healthcheck"]["test"][1:]
    client = shutil.which(program) or shutil.which("redis-cli")
    assert client is not None, "scripts/need redis-cli"
    for _ in range(100):
        done = subprocess.run([client, "-s", valkey, *arguments], capture_output=True, text=True)
        if done.stdout == "PONG\n":
            break
        await asyncio.sleep(0.05)
    assert done.stdout == "PONG\n"
    with redis.Redis(unix_socket_path=str(valkey)) as connected:
        assert connected.config_get("appendonly") == {"appendonly": "yes"}
        assert connected.config_get("save") == {"save": ""}
