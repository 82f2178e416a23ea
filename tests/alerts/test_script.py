"""Scripts: what they get, what their ends mean, and that none of them outlives or floods us."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pinguin.alerts.channels import channel_type
from pinguin.alerts.channels.script import OFF, PERMANENT
from pinguin.alerts.contract import MOST_ANSWER, Outcome
from pinguin.alerts.courier import Courier
from pinguin.alerts.payload import payload
from pinguin.alerts.render import render
from pinguin.alerts.samples import SAMPLES, digest
from pinguin.errors import InvalidInput
from pinguin.secrets import Keys
from pinguin.settings import Settings
from tests.alerts.conftest import Deliver


def program(folder: Path, text: str, name: str = "notify", interpreter: str = "/bin/sh") -> str:
    path = folder / name
    path.write_text(f"#!{interpreter}\n{text}\n")
    path.chmod(0o755)
    return name


@pytest.fixture
def run(deliver: Deliver, scripts: Path) -> Any:
    """`await run("exit 3")`: one try with that script."""

    async def one(text: str, **options: Any) -> Outcome:
        return await deliver("script", **{"program": program(scripts, text), **options})

    return one


async def test_it_gets_the_message_as_json_and_its_arguments(run: Any, tmp_path: Path) -> None:
    outcome = await run(f'cat > {tmp_path}/in; echo "$1|$2|$#"', arguments=["a b; $(id)", "--x"])
    assert (outcome.ok, outcome.status, outcome.answer) == (True, 0, "exit code 0: a b; $(id)|--x|2")
    expected = payload(render(SAMPLES["down"]()))
    assert json.loads((tmp_path / "in").read_text()) == json.loads(json.dumps(expected))


async def test_its_environment_holds_the_message_and_nothing_of_ours(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRAP 24"""
    monkeypatch.setenv("PINGUIN_SECRET_KEY", "canary-key-in-our-environment")
    monkeypatch.setenv("PGPASSWORD", "canary-password")
    outcome = await run(f"env -0 > {tmp_path}/env; pwd; ls /proc/self/fd | wc -l", variables={"TOKEN": "t0ken"})
    assert outcome.ok
    lines = (tmp_path / "env").read_text().split("\0")
    given = dict(line.split("=", 1) for line in lines if "=" in line)
    rendered = render(SAMPLES["down"]())
    assert "canary" not in str(given)
    assert set(given) - {"PWD", "SHLVL", "_", "OLDPWD"} == {
        "PINGUIN_SUBJECT", "PINGUIN_TEXT", "PINGUIN_KEY", "PINGUIN_CHANNEL", "PINGUIN_KIND", "PINGUIN_MONITOR",
        "PINGUIN_TARGET", "PINGUIN_URL", "PINGUIN_COUNT", "PINGUIN_OPTION_TOKEN", "PATH", "HOME", "LANG",
    }  # fmt: skip
    assert given["PINGUIN_SUBJECT"] == rendered.subject
    assert given["PINGUIN_TEXT"] == rendered.text
    assert (given["PINGUIN_KIND"], given["PINGUIN_COUNT"], given["PINGUIN_OPTION_TOKEN"]) == ("down", "1", "t0ken")


async def test_the_largest_message_fits(deliver: Deliver, scripts: Path) -> None:
    name = program(scripts, "wc -c")
    outcome = await deliver("script", digest(1000), program=name)
    assert outcome.ok
    assert int(outcome.answer.split()[-1]) > 100_000


async def test_one_that_reads_nothing_holds_up_nothing(deliver: Deliver, scripts: Path) -> None:
    assert (await deliver("script", digest(1000), program=program(scripts, "exit 0"))).ok


@pytest.mark.parametrize("code", [1, 2, 7, 64, 65, 69, 75, 77, 78, 126, 127, 255])
async def test_what_an_exit_code_means(run: Any, code: int) -> None:
    outcome = await run(f"echo because >&2; exit {code}")
    assert (outcome.ok, outcome.permanent, outcome.status) == (False, code in PERMANENT, code)
    assert outcome.unsure is (code not in PERMANENT and code != 75)
    assert outcome.answer == f"exit code {code}: because"


async def test_one_that_is_killed_is_tried_again(run: Any) -> None:
    outcome = await run("kill -9 $$")
    assert (outcome.ok, outcome.permanent, outcome.unsure) == (False, False, True)
    assert outcome.answer == "ended by signal 9"


async def until_gone(path: Path) -> None:
    """Until the process whose id is in the file has ended."""
    async with asyncio.timeout(60):
        while not path.exists() or not path.read_text().strip() or alive(int(path.read_text())):
            await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_one_that_hangs_is_killed_with_all_its_children(run: Any, tmp_path: Path) -> None:
    child = tmp_path / "child"
    outcome = await run(f"sleep 3600 & echo $! > {child}; echo so far; trap '' TERM INT; wait; sleep 3600", timeout_s=3)
    assert (outcome.ok, outcome.permanent, outcome.unsure) == (False, False, True)
    assert outcome.answer == "notify was killed after 3 s: so far"
    await until_gone(child)


async def test_children_that_keep_its_output_open_hold_up_nothing_and_end_with_it(run: Any, tmp_path: Path) -> None:
    child = tmp_path / "child"
    outcome = await run(f"sleep 3600 & echo $! > {child}; echo done")
    assert (outcome.ok, outcome.answer) == (True, "exit code 0: done")
    assert outcome.latency_ms < 15_000
    await until_gone(child)


async def test_a_child_that_left_the_group_holds_up_nothing(run: Any, tmp_path: Path) -> None:
    child = tmp_path / "child"
    outcome = await run(f"setsid sleep 30 & echo $! > {child}; echo done")
    assert (outcome.ok, outcome.answer) == (True, "exit code 0: done")
    for pid in Path("/proc").glob("[0-9]*"):  # it is our own test's: setsid may have forked once more
        if alive(int(pid.name)) and (pid / "cmdline").read_bytes() == b"sleep\x0030\x00":
            os.kill(int(pid.name), 9)


async def test_megabytes_of_output_are_read_and_cut(run: Any) -> None:
    outcome = await run("head -c 20000000 /dev/zero | tr '\\0' x; echo; exit 3")
    assert outcome.status == 3
    assert len(outcome.answer) == MOST_ANSWER


async def test_endless_output_ends_with_the_time(run: Any) -> None:
    outcome = await run("yes", timeout_s=1)
    assert not outcome.ok
    assert "was killed after 1 s" in outcome.answer


async def test_it_leaves_no_descriptor_behind(run: Any) -> None:
    await run("exit 0")
    before = len(os.listdir("/proc/self/fd"))
    for text in ("exit 0", "exit 1", "sleep 30"):
        await run(text, timeout_s=1)
    async with asyncio.timeout(60):
        while len(os.listdir("/proc/self/fd")) > before:
            await asyncio.sleep(0.02)


async def test_a_secret_that_it_prints_is_not_shown(run: Any) -> None:
    """TRAP 24"""
    outcome = await run('echo "curl: $PINGUIN_OPTION_TOKEN"; exit 1', variables={"TOKEN": "canary-token"})
    assert outcome.answer == "exit code 1: curl: [secret]"


# Which programs


async def test_without_the_setting_it_is_off_and_says_how_to_switch_it_on(keys: Keys) -> None:
    courier = Courier(Settings(), keys)
    outcome = await courier.send_test("script", {"program": "notify"}, "ops")
    assert (outcome.ok, outcome.answer) == (False, OFF)
    assert channel_type("script").off(Settings()) == OFF
    assert channel_type("script").off(Settings(script_dir="/x")) is None
    assert "PINGUIN_SCRIPT_DIR" in OFF


@pytest.mark.parametrize("name", ["/bin/sh", "../sh", "a/../../b", "~/x", "", ".."])
def test_a_program_outside_the_folder_cannot_be_named(name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        channel_type("script").parse({"program": name})
    assert "program" in refusal.value.fields


async def test_a_link_that_leads_outside_is_not_followed(deliver: Deliver, scripts: Path) -> None:
    (scripts / "notify").symlink_to("/bin/true")
    outcome = await deliver("script", program="notify")
    assert outcome.permanent
    assert "there is no program notify" in outcome.answer


async def test_what_is_not_there_or_may_not_be_run_is_refused(deliver: Deliver, scripts: Path) -> None:
    assert (await deliver("script", program="nothing")).permanent
    (scripts / "plain").write_text("exit 0")
    outcome = await deliver("script", program="plain")
    assert outcome.permanent
    assert "chmod +x" in outcome.answer
    name = program(scripts, "", interpreter="/nonexistent/interpreter")
    assert (await deliver("script", program=name)).permanent


async def test_a_program_in_a_folder_below(deliver: Deliver, scripts: Path) -> None:
    (scripts / "sms").mkdir()
    program(scripts / "sms", "exit 0", "send.sh")
    assert (await deliver("script", program="sms/send.sh")).ok


@pytest.mark.parametrize(
    "options",
    [{"arguments": ["a\0b"]}, {"variables": {"LD_PRELOAD": "x\0"}}, {"variables": {"a=b": "x"}}, {"timeout_s": 100}],
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        channel_type("script").parse({"program": "notify", **options})
