"""A canary in every secret option of every kind, and none of them in what a process writes, however it ends. TRAP 24"""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from pinguin.alerts.channels import channel_types
from pinguin.alerts.contract import PLACE
from pinguin.fields.describe import options_of
from pinguin.secrets import Keys
from tests.alerts.conftest import tried_by_a_process
from tests.alerts.mail_servers import talking
from tests.alerts.test_webhook import handler_that_echoes
from tests.checks.servers import resetting, serving
from tests.ports import free_port

KEY = "canary-key-of-the-settings"
CANARIES: dict[str, dict[str, Any]] = {
    "webhook": {
        "url": "http://127.0.0.1:{port}/canary-path-0123456789/x?token=canary-query",
        "headers": {"Authorization": "Bearer canary-bearer", "X-Key": "canary-header"},
        "signing_secret": "canary-signing",
    },
    "email": {"password": "canary-password"},
    "script": {"variables": {"TOKEN": "canary-variable"}},
    "apprise": {"urls": ["json://canary-user:canary-pass@127.0.0.1:{port}/canary-0123456789/?+X-Key=canary-plus"]},
}
OTHERS: dict[str, dict[str, Any]] = {
    "email": {
        "host": "127.0.0.1",
        "security": "none",
        "sender": "a@example.org",
        "to": ["b@example.org"],
        "username": "me",
    },
    "script": {"program": "leak"},
}


def options(kind: str, port: int) -> dict[str, Any]:
    secret = json.loads(json.dumps(CANARIES[kind]).replace("{port}", str(port)))
    return {**OTHERS.get(kind, {}), **secret, **({"port": port} if kind == "email" else {})}


def test_every_secret_option_of_every_kind_has_a_canary() -> None:
    for kind in channel_types().values():
        assert {option.name for option in options_of(kind.options) if option.secret} == set(CANARIES[kind.name])


def test_no_repr_shows_one() -> None:
    for kind in channel_types().values():
        assert "canary" not in repr(kind.parse(options(kind.name, 9)))


def test_no_canary_is_left_after_sealing() -> None:
    keys = Keys(KEY)
    for kind in channel_types().values():
        sealed = keys.seal_fields(options(kind.name, 9), kind.options, PLACE)
        assert "canary" not in json.dumps(sealed)


@pytest.fixture
def leak(scripts: Path) -> None:
    path = scripts / "leak"
    path.write_text("#!/bin/sh\necho $PINGUIN_OPTION_TOKEN; env; exit 1\n")
    path.chmod(0o755)


@pytest.mark.usefixtures("leak")
@pytest.mark.parametrize("sealed", [True, False])
async def test_a_process_that_tries_them_writes_none(scripts: Path, sealed: bool) -> None:
    keys = Keys(KEY)
    sent = b64encode(b"\0me\0canary-password").decode()
    login = talking({"EHLO": "250-mx\r\n250 AUTH PLAIN", "AUTH": f"535 what is {sent}, canary-password?"})
    async with (
        serving(handler_that_echoes()) as echo,
        serving(resetting) as reset,
        serving(login) as mail,
    ):
        tries = []
        for name, kind in channel_types().items():
            for port in (mail, free_port(), reset) if name == "email" else (echo, reset, free_port()):
                values = options(name, port)
                tries.append((name, keys.seal_fields(values, kind.options, PLACE) if sealed else values))
        written = await tried_by_a_process(tries, KEY, scripts, timeout=3.0)
    assert written.count("Outcome(ok=False") == 2 * len(tries)
    assert "[secret]" in written
    assert "canary" not in written
    assert sent not in written
