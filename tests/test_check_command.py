"""`pinguin check` as a person meets it, against servers on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from pinguin.check_command import check
from pinguin.check_command.printing import printable
from pinguin.checks import check_types
from tests.checks.certificates import house, server
from tests.checks.servers import answering, name_server, page, recording, serving, silent, zone
from tests.checks.starttls_servers import saying, threaded, upgrading
from tests.lacking import lacks
from tests.ports import free_port


async def pinguin(*words: str, stdin: str = "", **environment: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error of the real thing."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PINGUIN_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinguin", "check", *words, env=clean | environment,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await asyncio.wait_for(process.communicate(stdin.encode()), 150)
    assert process.returncode is not None
    assert "Traceback" not in errors.decode()
    return process.returncode, output.decode(errors="replace"), errors.decode()


async def here(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The same within this process, which is quicker."""
    try:
        code = await check(words)
    except SystemExit as end:
        code = int(end.code or 0)
    output = capsys.readouterr()
    return code, output.out, output.err


async def test_a_reader_who_has_seen_enough_ends_it_quietly() -> None:
    async with serving(answering(page(b"well"))) as port:
        command = (
            f"{sys.executable} -m pinguin check http http://127.0.0.1:{port}/ --repeat 50 --interval 0.01 | head -1"
        )
        process = await asyncio.create_subprocess_shell(
            command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        output, errors = await process.communicate()
    assert output.startswith(b"UP")
    assert errors == b""


async def test_a_terminal_without_our_letters_is_no_outage() -> None:
    async with serving(answering(page("grün ☃".encode()))) as port:
        words = ["http", f"http://127.0.0.1:{port}/", "--keyword", "ü", "--conditions", "body contains ☃"]
        plain = await pinguin(*words, PYTHONIOENCODING="latin-1")
        code, output, _ = await pinguin(*words, "--json", PYTHONIOENCODING="ascii")
    assert (plain[0], code) == (0, 0)
    assert json.loads(output)["evidence"]["conditions"][0]["condition"] == "body contains ☃"


async def test_a_full_disk_is_no_outage() -> None:
    if not Path("/dev/full").exists():
        lacks("this machine has no /dev/full, where nothing can be written")
    async with serving(silent) as port:
        command = f"{sys.executable} -m pinguin check tcp 127.0.0.1:{port} >/dev/full"
        process = await asyncio.create_subprocess_shell(command, stderr=asyncio.subprocess.PIPE)
        _, errors = await process.communicate()
    assert process.returncode == 3
    assert errors == b"pinguin check: cannot print: No space left on device\n"


async def test_a_page_that_is_up() -> None:
    async with serving(answering(page(b'{"status": "ok"}', headers="Content-Type: application/json\r\n"))) as port:
        code, output, errors = await pinguin(
            "http", f"http://127.0.0.1:{port}/", "--conditions", 'json $.status == "ok"', "--header", "x"
        )
        assert (code, output) == (2, "")  # there is no --header, and no guessing at --headers
        assert "unrecognized arguments: --header x; did you mean --headers?" in errors
        code, output, errors = await pinguin(
            "http", f"http://127.0.0.1:{port}/", "--conditions", 'json $.status == "ok"', "--headers", "X-Own: 1"
        )

    assert (code, errors) == (0, "")
    assert output.startswith("UP after ")
    for words in (
        "phases",
        "connect",
        "first_byte",
        "█",
        "conditions",
        '✓ json $.status == "ok"',
        "evidence",
        "address",
    ):
        assert words in output


async def test_json_and_the_exit_code_of_down() -> None:
    port = free_port()
    code, output, _ = await pinguin("tcp", f"127.0.0.1:{port}", "--json")
    report = json.loads(output)
    assert code == 1
    assert (report["type"], report["target"], report["status"], report["reason"]) == (
        "tcp", f"127.0.0.1:{port}", "down", "refused",
    )  # fmt: skip
    assert set(report) == {"type", "target", "status", "reason", "message", "latency_ms", "phases", "evidence"}


async def test_no_settings_are_needed_and_bad_ones_are_no_failure_of_the_target() -> None:
    code, _, errors = await pinguin("tcp", "127.0.0.1:1", PINGUIN_NONSENSE="1")
    assert (code, "PINGUIN_NONSENSE is not a setting" in errors) == (2, True)


async def test_a_certificate_with_an_authority_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, middle, leaf = house()
    (tmp_path / "root.pem").write_text(root.pem)
    with threaded(upgrading(None, server(leaf, middle))) as port:
        call = ["tls", f"127.0.0.1:{port}"]
        up = await here(capsys, *call, "--ca-certificates", f"@{tmp_path / 'root.pem'}")
        down = await here(capsys, *call)
        ignored = await here(capsys, *call, "--no-verify-tls")
        missing = await here(capsys, *call, "--ca-certificates", f"@{tmp_path / 'none.pem'}")
        piped, _, _ = await pinguin(*call, "--ca-certificates", "@-", stdin=root.pem)
    assert (up[0], down[0], ignored[0], missing[0], piped) == (0, 1, 0, 2, 0)
    assert "  certificate: the certificate of 127.0.0.1 comes from an unknown authority" in down[1]
    assert "✓ TLS 1.2 or newer  —  TLS 1.3" in up[1]
    assert "none.pem cannot be read: No such file" in missing[2]


async def test_the_line_break_at_the_end_of_a_secrets_file_is_not_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    seen: list[bytes] = []
    file = f"@{tmp_path / 'password'}"
    async with serving(recording(seen, page())) as port:
        words = ["--username", "me", "--password", file, "--headers", f"X-Key: {file}"]
        assert (await here(capsys, "http", f"http://127.0.0.1:{port}/", *words))[0] == 0
    assert b64encode(b"me:hunter2") in seen[0]
    assert b"x-key: hunter2\r\n" in seen[0].lower()


async def test_lists_and_degraded(capsys: pytest.CaptureFixture[str]) -> None:
    records = ["example.test. 60 IN A 192.0.2.1", "example.test. 60 IN A 192.0.2.2"]
    async with name_server(zone(records)) as port:
        call = ["dns", "example.test", "--resolver", f"127.0.0.1:{port}", "--match", "exact"]
        both = await here(capsys, *call, "--expected", "192.0.2.1", "--expected", "192.0.2.2")
        one = await here(capsys, *call, "--expected", "192.0.2.1")
    assert (both[0], one[0]) == (0, 1)
    assert "✗ A of example.test: exactly 192.0.2.1  —  192.0.2.1, 192.0.2.2" in one[1]


async def test_again_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(silent) as port:
        code, output, _ = await here(capsys, "tcp", f"127.0.0.1:{port}", "--repeat", "3", "--interval", "0.01")
        lines = await here(capsys, "tcp", f"127.0.0.1:{port}", "--repeat", "2", "--interval", "0.01", "--json")
    assert code == 0
    assert [line.split()[0] for line in output.splitlines()] == ["UP", "UP", "UP", "3"]
    assert "3 of 3 answered well (100.0 %); min / median / mean / max: " in output
    assert [json.loads(line)["status"] for line in lines[1].splitlines()] == ["up", "up"]


async def test_the_timeout(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(silent) as port:
        code, output, _ = await here(capsys, "tcp", f"127.0.0.1:{port}", "--expect", "x", "--timeout", "0.1")
    assert code == 1
    assert "timeout: no answer within 0.1 s" in output


async def test_unknown_is_three(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> Any:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("pinguin.checks.engine.icmp.socket.socket", forbidden)
    code, output, _ = await here(capsys, "ping", "127.0.0.1")
    assert (code, output.splitlines()[0]) == (3, "UNKNOWN  ping 127.0.0.1")


async def test_what_a_server_sends_does_not_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    with threaded(saying(b"\x1b[2J\x1b]0;owned\x07 \xe2\x80\xae +OK\r\n")) as port:
        code, output, _ = await here(capsys, "tcp", f"127.0.0.1:{port}", "--expect", "+OK")
    assert code == 0
    assert "\x1b" not in output
    assert r"\x1b[2J\x1b]0;owned\x07 \x202e +OK\r\n" in output
    assert printable("a\nb") == r"a\nb"


async def test_a_secret_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with threaded(saying(b"", b"you said hunter2")) as port:
        steps = ["--steps", r"send {secret}\n", "--steps", "expect said hunter2"]
        for form in ("--json", "--timeout=5"):
            _, output, _ = await here(capsys, "tcp", f"127.0.0.1:{port}", *steps[:2], "--secret", "hunter2", form)
            assert "hunter2" not in output


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nonsense", "x"], "type: 'nonsense' is not a check type; there are dns, domain, http"),
        (["tcp"], "the following arguments are required: host"),
        (["tcp", "127.0.0.1"], "--port: is required"),
        (["tcp", "127.0.0.1:99999"], "--port: must be at most 65535"),
        (["tcp", "127.0.0.1:0"], "--port: must be at least 1"),
        (["tcp", "127.0.0.1:ssh"], "host: must be host:port, or [address]:port for IPv6, with a port from 1 to 65535"),
        (["tls", "[::1"], "host: must be host:port"),
        (["tcp", "http://127.0.0.1:80"], "host: must be a name or an address alone, without http://"),
        (["http", "http://x/", "--headers", "X: \udcff"], "word 4 is no text in UTF-8"),
        (["http", "http://x/", "--body", "@"], "--body: needs a file behind the @"),
        (["http", "http://exa mple.org/"], "url: has a host that is not a valid name or address"),
        (["http", ""], "url: must not be empty"),
        (["tcp", "x" * 254 + ":1"], "host: must have at most 253 characters"),
        (["http", "http://x/"] + ["--conditions", "status < 400"] * 31, "--conditions: must have at most 30 entries"),
        (["tcp", "http://x", "--port", "1"], "host: must be a name or an address alone"),
        (["tcp", "127.0.0.1:1", "--slow-ms", "x"], "--slow-ms: invalid int value: 'x'"),
        (["tcp", "127.0.0.1:1", "--slow-ms=-1"], "--slow-ms: must be"),
        (["tcp", "127.0.0.1:1", "--tls", "gopher"], "--tls: invalid choice: 'gopher'"),
        (["tcp", "127.0.0.1:1", "--steps", "shout"], "--steps: 'shout' must be one of send, expect"),
        (["http", "http://x/", "--headers", "A: 1", "--headers", "A: 2"], "--headers: A is given twice; leave one"),
        (["http", "http://x/", "--headers", "A: 1", "--headers", "a: 2"], "--headers: must have each header once: A"),
        (["http", "http://x/", "--cookies", "a: 1", "--cookies", "a: 2"], "--cookies: a is given twice; leave one"),
        (["tcp", "127.0.0.1:1", "--send", "{secret}"], "--secret: is required: it is what {secret} stands for"),
        (["tcp", "127.0.0.1:1", "--secret", "x"], "--secret: is sent nowhere: write {secret} where it is to be sent"),
        (["http", "http://x/", "--headers", "no colon"], "--headers: must be `name: value`"),
        (["tcp", "127.0.0.1:1", "--timeout", "0"], "--timeout: must be more than 0"),
        (["tcp", "127.0.0.1:1", "--timeout", "soon"], "--timeout: must be more than 0"),
        (["tcp", "127.0.0.1:1", "--interval", "nan"], "--interval: must be more than 0"),
        (["tcp", "127.0.0.1:1", "--repeat", "many"], "--repeat: must be a whole number from 1"),
        (["tcp", "127.0.0.1:1", "--repeat", "0"], "--repeat: must be a whole number from 1"),
        (["dns", "a..b"], "name: is not a valid name"),
    ],
)
async def test_bad_options_are_two_and_named(
    capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    code, output, errors = await here(capsys, *words)
    assert (code, output) == (2, "")
    assert complaint in errors


async def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, output, _ = await here(capsys, "--help")
    assert code == 0
    for kind in check_types().values():
        assert (f"  {kind.name} " in output) is not kind.passive
        if kind.passive:
            assert "nothing to run" in (await here(capsys, kind.name, "--help"))[2]
            continue
        assert kind.title in output
        assert (await here(capsys, kind.name, "--help"))[0] == 0
    _, output, _ = await here(capsys, "ping", "--help")
    together = " ".join(output.split())
    assert "--max-loss-percent %" in together
    assert "More lost packets than this are down. (0 to 99 %; default: 0)" in together
    assert "--host" not in output
    assert await here(capsys) == (2, (await here(capsys, "--help"))[1], "")


@pytest.mark.parametrize(
    ("target", "shown"),
    [("127.0.0.1:1", "127.0.0.1:1"), ("[::1]:1", "[::1]:1"), ("localhost:1", "localhost:1")],
)
async def test_ways_to_write_a_target(capsys: pytest.CaptureFixture[str], target: str, shown: str) -> None:
    _, output, _ = await here(capsys, "tcp", target, "--json")
    assert json.loads(output)["target"] == shown
    _, output, _ = await here(capsys, "tcp", "::1", "--port", "1", "--json")
    assert json.loads(output)["target"] == "[::1]:1"
