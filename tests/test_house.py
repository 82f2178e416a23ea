"""Who may import whom, read from the imports; and where SQL and Redis keys may stand."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import pinguin

PACKAGE = Path(pinguin.__file__).parent
CORE = {"errors"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "model": CORE,
    "wallclock": CORE,
    "maintenance": {"wallclock", "errors"},
    "settings": CORE,
    "people": CORE,
    "first_run": {"settings"},
    "redis_url": CORE,
    "guard": {"settings"},
    "db": CORE,
    "lifecycle": {"settings", "errors"},
    "notify": set(),
    "watchdog": {"notify"},
    "metrics": {"broker", "db", "errors"},
    "health": {"metrics", "store", "broker", "db", "settings", "errors"},
    "fields": CORE,
    "scrub": CORE,
    "cause": {"model"},
    "secrets": {"fields", "settings", "errors"},
    "push": {"model", "errors", "wallclock"},
    "checks": {"model", "errors", "settings", "fields", "scrub", "push", "guard"},
    "alerts": {"model", "errors", "settings", "fields", "scrub", "secrets", "guard"},
    "redis_client": {"errors", "redis_url"},
    "broker": {"model", "redis_client"},
    "store": {"db", "cause", "model", "push", "people", "maintenance", "wallclock", "errors"},
    "scheduler": {"store", "db", "broker", "model", "settings", "errors", "lifecycle", "health", "metrics", "watchdog"},
    "worker": {
        "store",
        "db",
        "broker",
        "cause",
        "model",
        "settings",
        "errors",
        "lifecycle",
        "checks",
        "fields",
        "guard",
        "secrets",
        "alerts",
        "health",
        "metrics",
        "watchdog",
    },
    "web": {
        "people",
        "first_run",
        "store",
        "db",
        "broker",
        "cause",
        "checks",
        "fields",
        "guard",
        "secrets",
        "alerts",
        "model",
        "push",
        "maintenance",
        "wallclock",
        "settings",
        "errors",
        "lifecycle",
        "health",
        "metrics",
        "watchdog",
    },
}
"""Rooms that are not named (the command line and what it calls, the embedded stack, the demo) may import anything."""

FILES = sorted(path for path in PACKAGE.rglob("*.py") if "node_modules" not in path.parts)


def room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names = [node.module or ""]
            if node.module == "pinguin":
                names = [f"pinguin.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("pinguin.")}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    mine = room(path)
    if mine in MAY_IMPORT:
        assert imported_rooms(path) <= MAY_IMPORT[mine] | {mine}


def test_every_room_of_the_table_is_there() -> None:
    assert set(MAY_IMPORT) <= {room(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_redis_keys_stand_in_the_broker_alone(path: Path) -> None:
    if room(path) != "broker":
        assert not re.search(r"pinguin:[a-z]", path.read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_sql_stands_in_sql_files(path: Path) -> None:
    """db.py keeps the migrations' own books; every other statement has a name in sql/queries/."""
    if path.name == "db.py":
        return
    statement = re.compile(
        r"\s*(select|insert into|update|delete from|create|alter|call)\s[\s\S]*\b(from|into|set|table)\b"
    )
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value.strip():
            assert not (node.value.islower() and statement.match(node.value)), node.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_waits_in_a_task_group(path: Path) -> None:
    """On Python 3.11.2 (Debian 12) a group whose task failed leaves its parent as good as cancelled: the timeout around
    it raises CancelledError in place of TimeoutError."""
    assert "TaskGroup(" not in path.read_text()
