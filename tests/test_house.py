"""Who may import whom, read from the imports; and where SQL and Redis keys may stand."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

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
STATEMENT = re.compile(
    r"\s*(select|insert into|update|delete from|create|alter|call)\s[\s\S]*\b(from|into|set|table)\b"
)


def room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text())))


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in nodes(path):
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


def statements(path: Path) -> list[str]:
    words = [node.value for node in nodes(path) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [each for each in words if "\n" not in each.strip() and each.islower() and STATEMENT.match(each)]


def test_every_room_of_the_table_is_there() -> None:
    assert set(MAY_IMPORT) <= {room(path) for path in FILES}


def test_a_room_imports_only_what_it_may() -> None:
    tabled = [path for path in FILES if room(path) in MAY_IMPORT]
    beyond = {path: imported_rooms(path) - MAY_IMPORT[room(path)] - {room(path)} for path in tabled}
    assert {path: rooms for path, rooms in beyond.items() if rooms} == {}


def test_redis_keys_stand_in_the_broker_alone() -> None:
    others = [path for path in FILES if room(path) != "broker"]
    assert [path for path in others if re.search(r"pinguin:[a-z]", path.read_text())] == []


def test_sql_stands_in_sql_files() -> None:
    """db.py keeps the migrations' own books; every other statement has a name in sql/queries/."""
    found = {path: statements(path) for path in FILES}
    assert {path.name for path, words in found.items() if words} <= {"db.py"}, found


def test_nothing_waits_in_a_task_group() -> None:
    """On Python 3.11.2 (Debian 12) a group whose task failed leaves its parent as good as cancelled: the timeout around
    it raises CancelledError in place of TimeoutError."""
    assert [path for path in FILES if "TaskGroup(" in path.read_text()] == []
