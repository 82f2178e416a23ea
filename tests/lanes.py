"""How the tests are dealt out to several processes, so that all end at about the same time.

Most of the tests in `WAITING` wait: for a lease to end, for a process to come back. They are one lane, which begins
first, and its processes go before the others', because a fault under load is judged by what one second of checks does.
The tests in a real browser come next, and short files last.
"""

from __future__ import annotations

import gc
import importlib
import os
from contextlib import suppress

import pytest
from xdist.scheduler import LoadFileScheduling

WAITING = (
    "tests/chaos/",
    "tests/soak/",
    "tests/test_health.py",
    "tests/test_watchdog.py",
    "tests/test_redis_kinds.py",
    "tests/worker/test_sender",
    "tests/worker/test_spill.py",
)
LONG = (
    "tests/browser/",
    "tests/embedded/",
    "tests/packaging/",
    "tests/store/test_rollups.py",
    "tests/web/test_hostile.py",
    "tests/web/test_live.py",
    "tests/web/test_live_list.py",
)
BEHIND = 5
"""Nice value of a process that runs the others."""

_behind = False


class Lanes(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """A file is run by one process, and all files that wait by the same one."""

    def _split_scope(self, nodeid: str) -> str:
        return "waiting" if nodeid.startswith(WAITING) else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Lanes | None:
    """With --dist=loadfile, this is how."""
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # in the order of `pytest_collection_modifyitems`
    return Lanes(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Each process imports its share of the files first. What it compiles, and rewrites for asserts that explain
    themselves, the others find done: in a new clone that is most of what collecting costs.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None or session.config.getvalue("dist") != "loadfile":
        return
    root = session.config.rootpath
    files = sorted((root / "tests").rglob("test_*.py"))
    begin = len(files) * int(worker.removeprefix("gw")) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    for file in files[begin:] + files[:begin]:
        with suppress(Exception):  # collecting says what is wrong
            importlib.import_module(".".join(file.relative_to(root).with_suffix("").parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: 0 if item.nodeid.startswith(WAITING) else 1 if item.nodeid.startswith(LONG) else 2)


def pytest_collection_finish() -> None:
    """What was collected stays until the end: it need not be looked through for garbage again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Go behind the lane that waits, once for all that follows here."""
    global _behind
    if not _behind and "PYTEST_XDIST_WORKER" in os.environ and not item.nodeid.startswith(WAITING):
        os.nice(BEHIND)
        _behind = True
