"""Results that wait in Redis while Postgres is away, and go to it in order when it is back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from time import monotonic

import msgspec
import psycopg
import structlog

from pinguin.broker import Broker
from pinguin.errors import Unavailable
from pinguin.model import Result, Status

_log = structlog.get_logger(__name__)

BATCH = 500
LOOK_S = 2.0
DRAINER_TTL_S = 30.0
SETTLE_S = LOOK_S + 1
"""Once Redis was emptied, every worker has looked, and put its results there again, within this time."""
COPIES = 20_000
"""Results of its own that a worker remembers until they are written: some 20 MB, and 100 MB at the most, where each has
all the evidence that it may (`checks/evidence.py`)."""

Record = Callable[[Sequence[Result]], Awaitable[None]]
"""Writes results in one transaction; raises `Unavailable`, or `psycopg.Error` for what the database refuses."""
RecordEach = Callable[[Sequence[Result]], Awaitable[None]]
"""Writes results, but for those that the database refuses; raises `Unavailable`."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """A result that this worker has put there. number: in the order of its own. slot: seconds since 1970."""

    number: int
    healthy: bool
    slot: int
    text: str


class Spill:
    """One worker's way to the spilled results of all. What it put there itself it remembers until it is written, and
    puts it there again when Redis was emptied meanwhile.
    """

    def __init__(self, broker: Broker, name: str, limit: int) -> None:
        self._broker, self._backlog, self._name, self._limit = broker, broker.backlog, name, limit
        self._copies: deque[_Copy] = deque(maxlen=COPIES)
        self._numbers = count()
        self._since: str | None = None
        self._settled_at = monotonic()

    async def is_empty(self) -> bool:
        """False while results wait, or may yet be put there again: newer ones then go there too, so that states see
        them in order.
        """
        return await self._look() is None and self._settled

    @property
    def _settled(self) -> bool:
        return monotonic() >= self._settled_at

    async def put(self, results: Sequence[Result]) -> None:
        """Keep results. Raises `Unavailable` when Redis is away too."""
        await self._look()
        copies = [_copy(number, result) for number, result in zip(self._numbers, results, strict=False)]
        await self._put(copies)
        self._copies += copies

    async def _put(self, copies: Sequence[_Copy]) -> None:
        lost = await self._backlog.results.keep([(copy.healthy, copy.slot, copy.text) for copy in copies], self._limit)
        if lost:
            _log.error("results_lost", results=lost, limit=self._limit)

    async def _look(self) -> int | None:
        """The slot of the oldest result that waits. Forgets the copies of what is written, and puts them there again
        where Redis was emptied.
        """
        newest = self._copies[-1].number if self._copies else -1
        since, oldest = await self._backlog.look()
        if self._since not in (None, since):
            await self._put_again()
        else:
            self._forget(newest, oldest)
        self._since = since
        return oldest

    def _forget(self, newest: int, oldest: int | None) -> None:
        """Copies up to the number `newest`, of slots before `oldest`: they are written."""
        while self._copies and self._copies[0].number <= newest and (oldest is None or self._copies[0].slot < oldest):
            self._copies.popleft()

    async def _put_again(self) -> None:
        """What is written already, or there, counts once."""
        copies = list(self._copies)
        _log.warning("spill_was_emptied", results=len(copies))
        for start in range(0, len(copies), BATCH):
            await self._put(copies[start : start + BATCH])
        self._settled_at = monotonic() + SETTLE_S

    async def drain_forever(self, record: RecordEach) -> None:
        """Write what waits whenever the database answers; ends by being cancelled. One worker at a time does it."""
        while True:
            try:
                if await self._some_to_drain() and await self._backlog.results.may_drain(self._name, DRAINER_TTL_S):
                    await self._drain(record)
            except Unavailable as error:
                _log.debug("spill_waits", error=str(error))  # the loops that hand out work say so louder
            await asyncio.sleep(LOOK_S)

    async def _some_to_drain(self) -> bool:
        return await self._look() is not None and self._settled

    async def _drain(self, record: RecordEach) -> None:
        written = 0
        while await self._some_to_drain() and (batch := await self._backlog.results.peek(BATCH)):
            results = await self._read([text for text, _ in batch])
            await record(results)
            await self._backlog.results.forget([number for _, number in batch])
            await self._broker.announce_results(sorted({result.monitor_id for result in results}))
            written += len(results)
            if not await self._backlog.results.may_drain(self._name, DRAINER_TTL_S):
                break  # we were too slow, and another goes on
        _log.info("spill_drained", results=written)

    async def _read(self, texts: Sequence[str]) -> list[Result]:
        """Results from their texts; what is not one (of another version of Pinguin, say) is set aside, not lost."""
        results = []
        for text in texts:
            try:
                results.append(msgspec.json.decode(text, type=Result))
            except msgspec.DecodeError as error:
                _log.error("spilled_result_not_understood", error=str(error))
                await self._backlog.set_aside(text)
        return results


def _copy(number: int, result: Result) -> _Copy:
    slot = int(result.scheduled_at.timestamp())
    return _Copy(number, result.status is Status.UP, slot, msgspec.json.encode(result).decode())


async def record_each(record: Record, results: Sequence[Result]) -> int:
    """Record; where the database refuses a batch for good, leave out the results that it refuses. How many."""
    try:
        await record(results)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        if len(results) == 1:
            _log.error("result_refused", monitor=results[0].monitor_id, error=str(error))
            return 1
        middle = len(results) // 2
        return await record_each(record, results[:middle]) + await record_each(record, results[middle:])
    except psycopg.Error as error:  # a standby, a missing right, a schema that is not migrated: not the results' fault
        raise Unavailable(f"the database does not take results: {error}") from error
    return 0
