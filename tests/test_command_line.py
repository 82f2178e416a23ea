"""The command line as a person meets it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from pinguin.broker import Broker
from pinguin.cli import COMMANDS, OWN_OPTIONS, parser
from pinguin.db import Pool
from pinguin.embedded.lock import FolderLock
from pinguin.settings import Settings
from tests.conftest import Services
from tests.ports import free_port


async def run(*arguments: str, **environment: str) -> tuple[int, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PINGUIN_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinguin", *arguments, env=clean | environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 150)
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_help_teaches_every_command() -> None:
    code, output = await run("--help")
    assert code == 0
    for name, function in COMMANDS.items():
        assert name in output
        assert function.__doc__
    assert "PINGUIN_DATABASE_URL" in output


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - set(OWN_OPTIONS)))
def test_the_help_of_a_command_has_a_lesson(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parser().parse_args([name, "--help"])
    summary, *lesson = str(COMMANDS[name].__doc__).strip().splitlines()
    said = capsys.readouterr().out
    assert end.value.code == 0
    assert summary in said
    assert lesson[-1].strip() in said
    assert set(re.findall(r"PINGUIN_\w+", said)) <= set(Settings().environment())


@pytest.mark.parametrize(
    ("arguments", "environment", "complaint"),
    [
        (["fly"], {}, "invalid choice: 'fly'"),
        (["worker", "--fast"], {}, "unrecognized arguments: --fast"),
        (["worker"], {"PINGUIN_WEB_PORT": "x"}, "pinguin: PINGUIN_WEB_PORT='x': must be"),
        (["up"], {"PINGUIN_WEB_PROT": "1"}, "PINGUIN_WEB_PROT is not a setting"),
        (["up"], {"PINGUIN_DATA_DIR": ""}, "PINGUIN_DATA_DIR='': must name a folder"),
    ],
)
async def test_a_mistake_gets_a_clear_sentence(
    arguments: list[str], environment: dict[str, str], complaint: str
) -> None:
    code, output = await run(*arguments, **environment)
    assert code in (1, 2)
    assert complaint in output
    assert "Traceback" not in output


async def test_doctor_finds_all_well(stack: Services, pool: Pool, broker: Broker) -> None:
    addresses = {"PINGUIN_DATABASE_URL": stack.database_url, "PINGUIN_REDIS_URL": stack.redis_url}
    _, output = await run("doctor", **addresses)
    assert "WRONG no scheduler leads: start `pinguin scheduler`" in output
    assert await broker.lead("somebody", 600)
    code, output = await run("doctor", **addresses)
    for fine in ("database answers: PostgreSQL", "community edition", "migrations are complete", "Redis answers"):
        assert f"  ok  {fine}" in output or fine in output
    assert "clock differs" in output
    assert (code == 0) == ("WRONG" not in output)


async def test_doctor_names_what_does_not_answer() -> None:
    code, output = await run(
        "doctor",
        PINGUIN_DATABASE_URL="postgresql://nobody@127.0.0.1:1/x?connect_timeout=1",
        PINGUIN_REDIS_URL="redis://127.0.0.1:1/0",
    )
    assert code == 1
    for what, setting in (("the database", "PINGUIN_DATABASE_URL"), ("Redis", "PINGUIN_REDIS_URL")):
        line = next(line for line in output.splitlines() if line.startswith(f"WRONG {what} does not answer: "))
        assert line.endswith(f". Start it (`make up` starts everything), or set {setting} to where it runs")
    assert "Traceback" not in output


async def test_migrate_says_what_it_did(stack: Services, pool: Pool) -> None:
    await run("migrate", PINGUIN_DATABASE_URL=stack.database_url)
    code, output = await run("migrate", PINGUIN_DATABASE_URL=stack.database_url, PINGUIN_RAW_RETENTION_DAYS="77")
    assert (code, "retention of results: 77 days" in output) == (0, True)


async def test_migrate_of_an_absent_database_says_so() -> None:
    code, output = await run("migrate", PINGUIN_DATABASE_URL="postgresql://nobody@127.0.0.1:1/x")
    assert code == 1
    assert output.startswith("pinguin: the database does not answer")
    assert "Traceback" not in output


async def test_the_commands_find_the_stack_of_a_relative_data_folder(stack: Services, tmp_path: Path) -> None:
    if stack.embedded is None:
        pytest.skip("the database of this run is not the embedded one")
    folder = stack.embedded.folder
    relative = os.path.relpath(folder)
    code, output = await run("psql", "-At", "-c", "select 6 * 7", PINGUIN_DATA_DIR=relative)
    assert (code, output.strip()) == (0, "42")
    code, output = await run("migrate", PINGUIN_DATA_DIR=relative, PINGUIN_RAW_RETENTION_DAYS="78")
    assert (code, "retention of results: 78 days" in output) == (0, True)
    nowhere = tmp_path / "nothing"
    await run("doctor", PINGUIN_DATA_DIR=str(nowhere))
    assert not nowhere.exists(), "looking for a stack made a folder"


async def test_psql_says_that_nothing_runs(tmp_path: Path) -> None:
    stand_in = tmp_path / "psql"
    stand_in.write_text("#!/bin/sh\n")
    stand_in.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    code, output = await run("psql", "-c", "select 1", PINGUIN_DATA_DIR=str(tmp_path / "nothing"), PATH=path)
    assert (code, output.startswith(f"Nothing runs in {tmp_path}/nothing (`make up` starts it)")) == (0, True)


async def test_psql_runs_beside_it(stack: Services, pool: Pool) -> None:
    code, output = await run("psql", "-At", "-c", "select 6 * 7", PINGUIN_DATABASE_URL=stack.database_url)
    assert (code, output.strip()) == (0, "42")


async def test_psql_shows_no_password_to_ps(tmp_path: Path) -> None:
    stand_in = tmp_path / "psql"
    stand_in.write_text('#!/bin/sh\necho "$@" "PGPASSWORD=$PGPASSWORD"\n')
    stand_in.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    url = "postgresql://me:hunter2@127.0.0.1:5/x"
    code, output = await run("psql", "-c", "select 1", PINGUIN_DATABASE_URL=url, PATH=path)
    arguments, _, password = output.rpartition(" ")
    assert (code, password.strip()) == (0, "PGPASSWORD=hunter2")
    assert "hunter2" not in arguments
    assert "host=127.0.0.1" in arguments


async def test_up_says_where_it_runs_already(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    code, output = await run("up", PINGUIN_DATA_DIR=str(tmp_path))
    lock.release()
    words = f"pinguin: Pinguin runs already in {tmp_path} (process {os.getpid()}); `make down` stops it\n"
    assert (code, output) == (1, words)


async def test_up_refuses_a_port_that_is_taken(tmp_path: object) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        code, output = await run("up", PINGUIN_WEB_PORT=str(port), PINGUIN_DATA_DIR=str(tmp_path))
        assert code == 1
        assert "set PINGUIN_WEB_PORT to another port" in output
        free = {"PINGUIN_WEB_PORT": str(free_port()), "PINGUIN_DATA_DIR": str(tmp_path)}
        for health in (port, port - 1):  # the worker has the next one
            code, output = await run("up", **free, PINGUIN_HEALTH_PORT=str(health))
            assert code == 1
            assert f"cannot listen on 127.0.0.1:{port} " in output
            assert "set PINGUIN_HEALTH_PORT to another port" in output


async def test_up_refuses_one_port_for_two(tmp_path: Path) -> None:
    ports = dict.fromkeys(("PINGUIN_WEB_PORT", "PINGUIN_HEALTH_PORT"), str(free_port()))
    code, output = await run("up", **ports, PINGUIN_DATA_DIR=str(tmp_path))
    assert (code, "set PINGUIN_HEALTH_PORT to another port" in output) == (1, True)


async def test_up_refuses_an_address_that_is_not_of_this_machine(tmp_path: Path) -> None:
    code, output = await run("up", PINGUIN_WEB_HOST="no.such.invalid", PINGUIN_DATA_DIR=str(tmp_path))
    assert (code, "set PINGUIN_WEB_HOST to an address of this machine" in output) == (1, True)
