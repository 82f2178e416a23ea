"""The compose file, as far as it can be checked without an engine: its schema, its promises, its settings."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from pinguin.cli import parser
from pinguin.settings import Settings
from tests.conftest import DATABASE_IMAGE
from tests.packaging import compose
from tests.packaging.checkout import ROOT

SERVICES = compose.services()
LONG_RUNNING = sorted(SERVICES.keys() - {"migrate"})


def test_it_follows_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, ROOT / "docker-compose.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_stack_is_complete() -> None:
    assert SERVICES.keys() == {"db", "redis", *compose.OURS}


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_to_a_full_version(name: str) -> None:
    assert re.search(r":\d+\.\d+\.\d+(-|$)", SERVICES[name]["image"])


def test_the_tests_use_the_database_that_is_shipped() -> None:
    assert SERVICES["db"]["image"] == DATABASE_IMAGE


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_what_runs_is_watched_and_started_again(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_data_are_in_named_volumes() -> None:
    assert SERVICES["db"]["volumes"] == ["db:/var/lib/postgresql/data"]
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]


def test_a_password_must_be_given() -> None:
    with pytest.raises(KeyError, match="make up-docker"):
        compose.services({})


def test_no_secret_is_in_the_files() -> None:
    example = (ROOT / ".env.example").read_text()
    assert re.search(r"^POSTGRES_PASSWORD=$", example, re.MULTILINE)
    assigned = re.findall(r"PASSWORD: (.*)", compose.TEXT)
    assert assigned
    assert all(value.startswith("${POSTGRES_PASSWORD:?") for value in assigned)
    ignored = (ROOT / ".gitignore").read_text().split()
    assert "/.env" in ignored or ".env" in ignored


def test_only_the_pages_are_published_and_only_to_this_machine() -> None:
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["web"]
    assert SERVICES["web"]["ports"] == ["127.0.0.1:8080:8080"]
    elsewhere = compose.services({"POSTGRES_PASSWORD": "x", "PINGUIN_WEB_HOST": "0.0.0.0", "PINGUIN_WEB_PORT": "9000"})
    assert elsewhere["web"]["ports"] == ["0.0.0.0:9000:8080"]


@pytest.mark.parametrize("name", compose.OURS)
class TestOurs:
    """What every process of ours may rely on."""

    @pytest.fixture
    def service(self, name: str) -> dict[str, Any]:
        return SERVICES[name]

    def test_it_may_do_no_more_than_it_needs(self, service: dict[str, Any]) -> None:
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["read_only"] is True
        assert not {"privileged", "cap_add", "user"} & service.keys()

    def test_its_command_is_one_of_ours(self, name: str, service: dict[str, Any]) -> None:
        assert parser().parse_args(service["command"]).command == name

    def test_its_settings_are_settings(self, service: dict[str, Any]) -> None:
        settings = Settings.from_environment(compose.environment(service))
        assert settings.database_url == "postgresql://pinguin@db/pinguin"
        assert settings.redis_url == "redis://redis:6379/0"

    def test_every_setting_can_be_given_in_dotenv(self, service: dict[str, Any]) -> None:
        fixed = {"database_url", "redis_url", "data_dir", "web_host", "web_port", "health_port"}
        wanted = {"PINGUIN_" + name.upper() for name in Settings.__struct_fields__ if name not in fixed}
        assert wanted <= service["environment"].keys()

    def test_it_waits_for_what_it_needs(self, name: str, service: dict[str, Any]) -> None:
        conditions = {other: want["condition"] for other, want in service["depends_on"].items()}
        assert conditions["db"] == "service_healthy"
        if name != "migrate":
            assert conditions["redis"] == "service_healthy"
            assert conditions["migrate"] == "service_completed_successfully"


def test_only_workers_may_ping() -> None:
    assert [name for name in SERVICES if "sysctls" in SERVICES[name]] == ["worker"]
    group = re.search(r"^USER \d+:(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert group is not None
    assert SERVICES["worker"]["sysctls"] == {"net.ipv4.ping_group_range": f"{group[1]} {group[1]}"}
