"""The shell scripts behind the Makefile's verbs."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pinguin.settings import Settings
from tests.lacking import lacks
from tests.packaging.checkout import ROOT, Workshop

SCRIPTS = sorted([*(ROOT / "scripts").iterdir(), ROOT / ".ci" / "run"])
VERBS = "up up-embedded up-docker down reset demo dev psql migrate doctor check test bench fmt lock"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, script], capture_output=True, text=True)
    assert done.stdout == ""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_stop_at_the_first_error(script: Path) -> None:
    assert "\nset -euo pipefail\n" in script.read_text()


@pytest.mark.parametrize("arguments", [(), ("help",)])
def test_make_lists_its_verbs(arguments: tuple[str, ...]) -> None:
    listed = subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(VERBS.split()) <= set(re.findall(r"^  make (\S+) +\S", listed, re.MULTILINE))


# -- venv


@pytest.fixture
def installed(workshop: Workshop) -> Workshop:
    """A checkout whose .venv has what the lock names, with Node beside it."""
    (workshop.folder / "requirements").mkdir()
    (workshop.folder / ".venv" / "bin").mkdir(parents=True)
    for lock in ("embedded", "dev", "node", "pip"):
        (workshop.folder / "requirements" / f"{lock}.lock").write_text(f"{lock}==1\n")
    shutil.copy(workshop.folder / "requirements" / "embedded.lock", workshop.folder / ".venv")
    for name in ("python", "pip"):
        shutil.move(workshop.stand_in(name), workshop.folder / ".venv" / "bin" / name)
    workshop.stand_in("node", "echo v20.1.0")
    workshop.stand_in("npm")
    return workshop


def pip_calls(workshop: Workshop) -> list[str]:
    return [call for call in workshop.calls if call.startswith("python -m pip")]


def test_what_is_installed_is_not_installed_again(installed: Workshop) -> None:
    assert installed.run("scripts/venv", "embedded") == (0, "")
    assert pip_calls(installed) == []


def test_a_changed_lock_is_installed_with_its_hashes_and_then_ourselves(installed: Workshop) -> None:
    (installed.folder / "requirements" / "embedded.lock").write_text("embedded==2\n")
    code, output = installed.run("scripts/venv", "embedded")
    assert (code, output) == (0, "Installing what requirements/embedded.lock names …\n")
    locked, ourselves = pip_calls(installed)
    assert locked.endswith("--require-hashes -r requirements/embedded.lock")
    assert ourselves.endswith("--no-deps --no-build-isolation --editable .")
    assert installed.run("scripts/venv", "embedded") == (0, "")


@pytest.mark.parametrize(("lock", "times"), [("embedded", 1), ("dev", 0)])
def test_what_another_user_may_run_is_compiled(installed: Workshop, lock: str, times: int) -> None:
    (installed.folder / "requirements" / f"{lock}.lock").write_text(f"{lock}==2\n")
    code, _ = installed.run("scripts/venv", lock)
    assert code == 0
    assert sum(call.startswith("python -m compileall") for call in installed.calls) == times


def test_what_was_broken_off_is_made_anew(installed: Workshop) -> None:
    """pip would take a package for installed of which it wrote no more than a part."""
    (installed.folder / "requirements" / "embedded.lock").write_text("embedded==2\n")
    python = installed.folder / ".venv" / "bin" / "python"
    shutil.copy(python, python.with_name("python.whole"))
    shutil.move(installed.stand_in("python", '[ "$2" != pip ]'), python)
    assert installed.run("scripts/venv", "embedded")[0] == 1
    python.with_name("python.whole").rename(python)
    fresh = installed.stand_in("fresh")
    _, output = installed.run("scripts/venv", "embedded", PYTHON=str(fresh))
    assert "fresh -m venv --clear --without-pip .venv" in installed.calls
    assert "Making .venv with " in output


@pytest.mark.parametrize(("wheel", "times"), [("/bundled/pip-23.whl", 0), ("", 1)])
def test_a_new_venv_has_the_locked_pip_by_that_of_ensurepip(installed: Workshop, wheel: str, times: int) -> None:
    (installed.folder / ".venv" / "embedded.lock").unlink()
    path = installed.folder / "path"
    python = installed.stand_in("python", f'[ "$3" != install ] || echo "path=$PYTHONPATH" >>{path}')
    shutil.move(python, installed.folder / ".venv" / "bin" / "python")
    fresh = installed.stand_in("fresh", f'case "$2" in *_bundled*) echo {wheel} ;; esac')
    assert installed.run("scripts/venv", "embedded", PYTHON=str(fresh), PYTHONPATH="")[0] == 0
    assert pip_calls(installed)[0].endswith("--ignore-installed -r requirements/pip.lock")
    assert path.read_text().splitlines() == [f"path={wheel}", "path=", "path="]
    assert installed.calls.count("python -m ensurepip") == times


def test_ctrl_c_stops_it_also_where_python_only_says_that_it_failed(installed: Workshop) -> None:
    """It did not go on, and made .venv anew."""
    answers = installed.stand_in("python", 'kill -INT "$PPID"; exit 1')
    shutil.move(answers, installed.folder / ".venv" / "bin" / "python")
    code, output = installed.run("scripts/venv", "embedded", PYTHON=str(installed.stand_in("fresh")))
    assert (code, output) == (-signal.SIGINT, "")
    assert "fresh" not in " ".join(installed.calls)


def test_dev_holds_everything_that_embedded_holds(installed: Workshop) -> None:
    shutil.copy(installed.folder / "requirements" / "dev.lock", installed.folder / ".venv")
    (installed.folder / ".venv" / "embedded.lock").unlink()
    assert installed.run("scripts/venv", "embedded") == (0, "")


@pytest.mark.parametrize("node", ["echo v16.3.0", "exit 127"])
def test_an_old_or_missing_node_is_replaced_by_the_locked_one(installed: Workshop, node: str) -> None:
    installed.stand_in("node", node)
    code, _ = installed.run("scripts/venv", "embedded")
    assert code == 0
    assert [call.split()[-1] for call in pip_calls(installed)] == ["requirements/node.lock"]


def test_a_python_that_is_too_old_is_refused(workshop: Workshop) -> None:
    old = workshop.stand_in("old-python", '[ "$1" != --version ] || { echo Python 3.9.6; exit 0; }; exit 1')
    code, output = workshop.run("scripts/venv", "embedded", PYTHON=str(old))
    assert code == 1
    assert f"Pinguin needs Python 3.11 or newer, and {old} is Python 3.9.6." in output
    assert "PYTHON=" in output


@pytest.mark.parametrize(
    ("candidates", "chosen"), [("plain quick", "quick"), ("quick plain", "quick"), ("plain", "plain")]
)
def test_a_python_that_was_built_for_speed_is_preferred(workshop: Workshop, candidates: str, chosen: str) -> None:
    workshop.stand_in("plain", 'case "$2" in *CONFIG_ARGS*) exit 1 ;; esac; exit 0')
    quick = workshop.stand_in("quick", "exit 0")
    _, output = workshop.run("scripts/venv", "embedded", PYTHON=candidates)
    assert f"Making .venv with , {quick.with_name(chosen)} …" in output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_installer_too(installed: Workshop, number: signal.Signals) -> None:
    (installed.folder / "requirements" / "embedded.lock").write_text("embedded==2\n")
    pid_file = installed.folder / "pid"
    program = installed.stand_in("python", f'[ "$2" != pip ] || {{ echo $$ >{pid_file}; exec sleep 60; }}')
    shutil.move(program, installed.folder / ".venv" / "bin" / "python")
    process = installed.start("scripts/venv", "embedded")
    pid = int(await_text(pid_file))
    process.send_signal(number)
    process.communicate(timeout=10)
    assert process.returncode == -number
    assert not Path(f"/proc/{pid}").exists()


def await_text(path: Path) -> str:
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < deadline, path
        time.sleep(0.02)
    return path.read_text()


# -- up, up-docker, down, reset


@pytest.mark.parametrize(
    ("docker", "choice"),
    [("exit 0", "docker"), ("exit 1", "embedded"), ('[ "$1" = info ]', "embedded")],
    ids=["an engine answers", "no engine", "an engine without compose"],
)
def test_up_says_what_it_chose(workshop: Workshop, docker: str, choice: str) -> None:
    workshop.stand_in("docker", docker)
    code, output = workshop.run("scripts/up", MAKE="echo")
    first, *_, last = output.splitlines()
    assert code == 0
    assert "so Pinguin runs in Docker" in first if choice == "docker" else "so Pinguin runs on this machine" in first
    assert last == f"--no-print-directory up-{choice}"


COMPOSE = 'case "$*" in *port*) echo 127.0.0.1:8080 ;; *wait\\ web*) echo waits >>"$0.log"; exec sleep 60 ;; esac'


@pytest.mark.parametrize(
    ("docker", "said"),
    [('[ "$1" != compose ]', "This Docker has no Compose."), ('[ "$1" != info ]', "No Docker engine answers.")],
)
def test_up_docker_says_what_is_missing(workshop: Workshop, docker: str, said: str) -> None:
    workshop.stand_in("docker", docker)
    code, output = workshop.run("scripts/up-docker")
    assert code == 1
    assert output.startswith(said)
    assert "`make up-embedded`" in output
    assert not (workshop.folder / ".env").exists()


def test_up_docker_makes_a_password_once_and_stops_the_stack_on_sigterm(workshop: Workshop) -> None:
    docker = workshop.stand_in("docker", COMPOSE)
    environment = workshop.folder / ".env"
    written = ""
    for _ in range(2):
        process = workshop.start("scripts/up-docker")
        await_text(docker.with_name("docker.log"))
        process.terminate()
        output, _ = process.communicate(timeout=10)
        docker.with_name("docker.log").unlink()
        assert process.returncode == 0
        assert output.count("http://") == 1
        assert "Pinguin is ready:  http://127.0.0.1:8080\n" in output
        assert workshop.calls[-1] == "docker compose stop"
        assert written in ("", environment.read_text())
        written = environment.read_text()
    assert re.search(r"^POSTGRES_PASSWORD=[0-9a-f]{48}$", written, re.MULTILINE)
    assert re.search(r"^PINGUIN_SECRET_KEY=[0-9a-f]{48}$", written, re.MULTILINE)
    assert environment.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("other", ["", "\nPINGUIN_SECRET_KEY=\n", "\nPINGUIN_SECRET_KEY_FILE=/run/secrets/key"])
def test_up_docker_adds_a_key_to_an_env_from_before_there_was_one(workshop: Workshop, other: str) -> None:
    docker = workshop.stand_in("docker", COMPOSE)
    environment = workshop.folder / ".env"
    environment.write_text(f"POSTGRES_PASSWORD=kept{other}")
    environment.chmod(0o600)
    process = workshop.start("scripts/up-docker")
    await_text(docker.with_name("docker.log"))
    process.terminate()
    process.communicate(timeout=10)
    written = environment.read_text()
    assert written.startswith(f"POSTGRES_PASSWORD=kept{other}")
    assert bool(re.search(r"^PINGUIN_SECRET_KEY=[0-9a-f]{48}$", written, re.MULTILINE)) is ("_FILE" not in other)
    assert environment.stat().st_mode & 0o777 == 0o600


def test_up_docker_prints_the_address_that_makes_the_first_account(workshop: Workshop) -> None:
    line = '{"event":"no_account_yet","open":"http://0.0.0.0:8080/setup?token=a_B-9"}'
    logs = f"case \"$*\" in *logs*) echo '{line}' ;; esac"
    docker = workshop.stand_in("docker", f"{logs}\n{COMPOSE}")
    process = workshop.start("scripts/up-docker")
    await_text(docker.with_name("docker.log"))
    process.terminate()
    output, _ = process.communicate(timeout=10)
    assert "Pinguin is ready:  http://127.0.0.1:8080/setup?token=a_B-9\n" in output
    token = re.search(r"^PINGUIN_SETUP_TOKEN=(.*)$", (workshop.folder / ".env").read_text(), re.MULTILINE)
    assert token is not None
    assert Settings.from_environment({"PINGUIN_SETUP_TOKEN": token[1]}).setup_token == token[1] != ""


def test_down_stops_the_process_that_holds_the_data(workshop: Workshop) -> None:
    (workshop.folder / "data").mkdir()
    pinguin = subprocess.Popen(["bash", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done; : pinguin"])
    (workshop.folder / "data" / "lock").write_text(str(pinguin.pid))
    down = workshop.start("scripts/down")
    assert pinguin.wait(10) == 7
    down.communicate(timeout=10)
    assert down.returncode == 0


def test_what_runs_is_found_without_ps(workshop: Workshop) -> None:
    if not Path("/proc/self/cmdline").exists():
        lacks("this machine has ps, and no /proc")
    workshop.stand_in("ps", "exit 127")
    (workshop.folder / "data").mkdir()
    pinguin = subprocess.Popen(["bash", "-c", "read; : pinguin"], stdin=subprocess.PIPE)
    (workshop.folder / "data" / "lock").write_text(str(pinguin.pid))
    assert workshop.run("scripts/mode") == (0, "embedded\n")
    pinguin.communicate()
    workshop.stand_in("docker", "exit 1")
    assert workshop.run("scripts/mode") == (0, "nothing\n")


@pytest.mark.parametrize("lock", [None, "", "1"], ids=["no lock", "empty", "of another program"])
def test_down_leaves_other_programs_alone(workshop: Workshop, lock: str | None) -> None:
    workshop.stand_in("docker", "exit 1")
    (workshop.folder / "data").mkdir()
    if lock is not None:
        (workshop.folder / "data" / "lock").write_text(lock)
    assert workshop.run("scripts/down") == (0, "Nothing of Pinguin runs here.\n")


@pytest.mark.parametrize("answer", ["n\n", "", "\n", "what?\n"])
def test_reset_keeps_the_data_unless_it_is_told_to(workshop: Workshop, answer: str) -> None:
    workshop.stand_in("docker", "exit 1")
    kept = workshop.folder / "data" / "database" / "PG_VERSION"
    kept.parent.mkdir(parents=True)
    kept.touch()
    code, output = workshop.run("scripts/reset", said=answer)
    assert code == 0
    assert output == "Delete every monitor and all history in data? [y/N] Nothing was deleted.\n"
    assert kept.exists()


def test_reset_deletes_what_is_ours_alone(workshop: Workshop) -> None:
    workshop.stand_in("docker", "exit 1")
    (workshop.folder / "data" / "database").mkdir(parents=True)
    mine = workshop.folder / "data" / "mine"
    mine.touch()
    code, _ = workshop.run("scripts/reset", said="y\n")
    assert code == 0
    assert list((workshop.folder / "data").iterdir()) == [mine]


def test_reset_asks_apart_for_docker(workshop: Workshop) -> None:
    workshop.stand_in("docker")
    (workshop.folder / ".env").touch()
    assert workshop.run("scripts/reset", said="n\n")[0] == 0
    assert "docker compose down --volumes" not in workshop.calls
    assert workshop.run("scripts/reset", said="y\n")[0] == 0
    assert "docker compose down --volumes" in workshop.calls
    assert not (workshop.folder / ".env").exists()


# -- in-stack, psql


@pytest.fixture
def in_docker(workshop: Workshop) -> Workshop:
    workshop.stand_in("docker", 'case "$*" in *ps*) echo 1a2b3c ;; esac')
    return workshop


def test_the_demo_runs_where_the_workers_are(in_docker: Workshop) -> None:
    in_docker.run("scripts/in-stack", "demo")
    assert in_docker.calls[-1] == "docker compose exec worker python -m pinguin demo"


def test_psql_goes_to_the_database_of_the_compose_stack(in_docker: Workshop) -> None:
    in_docker.run("scripts/psql", "-c", "select 1")
    assert in_docker.calls[-1] == "docker compose exec --no-TTY db psql --username pinguin pinguin -c select 1"


# -- CI


@pytest.mark.parametrize(
    ("tests", "code"),
    [
        ("echo '==== 3 passed, 1 skipped in 0.10s ===='", 0),
        ("echo '==== 3 skipped in 0.10s ===='", 1),
        ("true", 1),
        ("echo '==== 1 failed, 3 passed in 0.10s ===='; exit 2", 2),
    ],
    ids=["passed", "all skipped", "no output", "failed"],
)
def test_ci_fails_where_no_test_passed(workshop: Workshop, tests: str, code: int) -> None:
    workshop.stand_in("make", tests)
    assert workshop.run(".ci/run")[0] == code
    assert workshop.calls == ["make test"]
