"""Settings are strict, and the README says the truth about them."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from pinguin.errors import SettingsError
from pinguin.settings import Settings

README = Path(__file__).parent.parent / "README.md"


def test_nothing_set_is_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()


def test_values_are_parsed() -> None:
    settings = Settings.from_environment(
        {"PINGUIN_WEB_PORT": "9000", "PINGUIN_WEB_SECURE_COOKIES": "true", "PINGUIN_REGION": "eu-west", "HOME": "/"}
    )
    assert (settings.web_port, settings.web_secure_cookies, settings.region) == (9000, True, "eu-west")


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("PINGUIN_WEB_PROT", "1", "PINGUIN_WEB_PROT is not a setting"),
        ("PINGUIN_WEB_PORT", "many", "PINGUIN_WEB_PORT='many': must be a whole number from 1 to 65535"),
        ("PINGUIN_WEB_PORT", "70000", "PINGUIN_WEB_PORT='70000': must be a whole number from 1 to 65535"),
        ("PINGUIN_REGION", "Mars!", "PINGUIN_REGION='Mars!': must be a short name of small letters, digits and -"),
        ("PINGUIN_WORKER_CANARIES", "127.0.0.1", "PINGUIN_WORKER_CANARIES='127.0.0.1'"),
        ("PINGUIN_WORKER_CANARIES", "a:80,b:99999", "PINGUIN_WORKER_CANARIES: 99999 is no port from 1 to 65535"),
        ("PINGUIN_TRUSTED_PROXIES", "*", "PINGUIN_TRUSTED_PROXIES: '*' is no address or network"),
        ("PINGUIN_TRUSTED_PROXIES", "10.0.0.1,0.0.0.0/0", "TRUSTED_PROXIES: '0.0.0.0/0' is no address or network"),
        ("PINGUIN_TRUSTED_PROXIES", "proxy.example", "TRUSTED_PROXIES: 'proxy.example' is no address or network"),
        ("PINGUIN_SETUP_TOKEN", "short", "SETUP_TOKEN=…: must be 16 characters or more: letters, digits, - and _"),
        ("PINGUIN_PING_KEY", "short", "PING_KEY=…: must be 16 characters or more: letters, digits, - and _"),
        ("PINGUIN_LOG_LEVEL", "loud", "PINGUIN_LOG_LEVEL='loud': must be one of debug, error, info, warning"),
        ("PINGUIN_WORKER_SENDS", "perhaps", "PINGUIN_WORKER_SENDS='perhaps': must be true or false"),
        ("PINGUIN_WATCHDOG_S", "-1", "PINGUIN_WATCHDOG_S='-1': must be a number from 0 to 3600"),
        ("PINGUIN_SPILL_LIMIT", "1", "PINGUIN_SPILL_LIMIT='1': must be a whole number from 1000 on"),
        ("PINGUIN_RAW_RETENTION_DAYS", "1", "must be a whole number from 8 to 36500"),
    ],
)
def test_a_bad_one_names_itself(variable: str, value: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(complaint)):
        Settings.from_environment({variable: value})


def test_every_bad_one_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.from_environment({"PINGUIN_X": "1", "PINGUIN_Y": "2"})
    assert "PINGUIN_X" in str(refusal.value)
    assert "PINGUIN_Y" in str(refusal.value)


def test_a_child_process_gets_the_same_settings() -> None:
    settings = Settings(web_port=1234, web_secure_cookies=True, redis_url="unix:///r", log_level="debug")
    assert Settings.from_environment(settings.environment()) == settings


def test_the_readme_lists_every_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(PINGUIN_\w+)` \| `([^`]*)` \|", README.read_text(), re.MULTILINE))
    defaults = msgspec.structs.asdict(Settings())
    assert rows == {
        f"PINGUIN_{name.upper()}": str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in defaults.items()
    }


@pytest.mark.parametrize("name", Settings.__struct_fields__)
@pytest.mark.parametrize("text", ["", "\0 ~", "-1", "9" * 30])
def test_what_any_of_them_refuses_it_refuses_in_words(name: str, text: str) -> None:
    with suppress(SettingsError):
        Settings.from_environment({f"PINGUIN_{name.upper()}": text})
