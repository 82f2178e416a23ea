"""What a worker knows of the monitors: fetched in batches, kept by id and version, so that a job costs no query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pinguin.broker import Broker
from pinguin.checks import check_type
from pinguin.checks.contract import CheckOptions, CheckType
from pinguin.db import Pool, connection
from pinguin.errors import InvalidInput, SealBroken, Unavailable
from pinguin.lifecycle import Backoff
from pinguin.model import Job
from pinguin.secrets import Keys, monitor_place
from pinguin.store import dispatch
from pinguin.store.dispatch import Runnable

CONNECT_S = 2.0
"""Jobs whose monitors are known wait for the others no longer than this while the database is away."""
FETCH_S = 4.0
LEARN_S = 30.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A version of a monitor, ready to run: its secrets are opened once, not for each check.

    Where its options are not valid, or do not open, `refused` says why instead, and `reason` of which kind that is.
    """

    version: int
    timeout_s: float
    kind: CheckType | None
    options: CheckOptions | None
    refused: str | None = None
    reason: str = "options"


class Definitions:
    """The newest version of every monitor of this worker's region, and of every one that it has met."""

    def __init__(self, pool: Pool, keys: Keys | None = None) -> None:
        """keys: None opens nothing."""
        self._pool = pool
        self._keys = keys or Keys()
        self._tasks: dict[int, Prepared] = {}

    def known(self, job: Job) -> Prepared | None:
        """The task of a job, if this very version is known."""
        task = self._tasks.get(job.monitor_id)
        return task if task is not None and task.version == job.version else None

    async def fetch(self, jobs: Sequence[Job]) -> None:
        """Learn what `jobs` need. Raises `Unavailable`; what is known already stays."""
        missing = sorted({job.monitor_id for job in jobs if self.known(job) is None})
        if not missing:
            return
        async with connection(self._pool, CONNECT_S, within_s=FETCH_S) as conn:
            rows = await dispatch.runnable(conn, missing)
        for monitor_id in missing:
            self._tasks.pop(monitor_id, None)
        self._take(rows)

    async def follow(self, broker: Broker, region: str) -> None:
        """Know every monitor of the region beforehand: then a database that goes away costs none of them a check.

        Ends by being cancelled.
        """
        backoff = Backoff()
        while True:
            try:
                async with broker.subscribe() as events:
                    await self._learn(region, None)
                    backoff.reset()
                    while True:
                        event = await events.next(10)
                        if event is not None and event.kind == "changed":
                            await self._learn(region, event.monitors)
            except Unavailable:  # the worker's own loop says so
                await backoff.wait()

    async def _learn(self, region: str, monitor_ids: Sequence[int] | None) -> None:
        async with connection(self._pool, within_s=LEARN_S) as conn:
            self._take(await dispatch.runnable_in(conn, region, monitor_ids))

    def _take(self, rows: Iterable[Runnable]) -> None:
        for row in rows:
            known = self._tasks.get(row.monitor_id)
            if known is None or known.version < row.version:
                self._tasks[row.monitor_id] = _task(row, self._keys)


def _task(row: Runnable, keys: Keys) -> Prepared:
    try:
        kind = check_type(row.type)
        options = keys.unseal_fields(row.options, kind.options, monitor_place(kind.name))
        return Prepared(row.version, row.timeout_s, kind, kind.parse(options))
    except InvalidInput as error:
        return Prepared(row.version, row.timeout_s, None, None, refused=str(error))
    except SealBroken as error:
        return Prepared(row.version, row.timeout_s, None, None, refused=str(error), reason="key")
