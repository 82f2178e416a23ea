"""Results that wait in Redis while Postgres is away, and go to it in order when it is back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

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
COPIES = 20_000
"""Results of its own that a worker remembers until they are written: about 20 MB at the most."""

Record = Callable[[Sequence[Result]], Awaitable[None]]
"""Writes results in one transaction; raises `Unavailable`, or `psycopg.Error` for what the database refuses."""
RecordEach = Callable[[Sequence[Result]], Awaitable[None]]
"""Writes results, but for those that the database refuses; raises `Unavailable`."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """What this worker has put there under a number that is no higher than `last`, in the life of Redis `since`."""

    healthy: bool
    text: str
    last: int
    since: str


class Spill:
    """One worker's way to the spilled results of all. What it put there itself it remembers until it is written, and
    puts it there again when Redis was emptied meanwhile.
    """

    def __init__(self, broker: Broker, name: str, limit: int) -> None:
        self._broker, self._name, self._limit = broker, name, limit
        self._copies: deque[_Copy] = deque(maxlen=COPIES)

    async def is_empty(self) -> bool:
        """False while results wait: newer ones then go behind them, so that states see them in order."""
        return await self._broker.spilled() == 0

    async def put(self, results: Sequence[Result]) -> None:
        """Keep results. Raises `Unavailable` when Redis is away too."""
        await self._put([(result.status is Status.UP, msgspec.json.encode(result).decode()) for result in results])

    async def _put(self, texts: Sequence[tuple[bool, str]]) -> None:
        spilled = await self._broker.spill(texts, self._limit)
        self._copies += (_Copy(healthy, text, spilled.last, spilled.since) for healthy, text in texts)
        if spilled.lost:
            _log.error("results_lost", results=spilled.lost, limit=self._limit)

    async def look_after_copies(self) -> None:
        """Forget what is written by now, and put again what Redis has lost. Raises `Unavailable`."""
        copies = list(self._copies)
        if not copies:
            return
        since, oldest = await self._broker.oldest_spilled()
        gone = [copy for copy in copies if copy.since != since]
        if gone:
            _log.warning("spill_was_emptied", results=len(gone))
            await self._put([(copy.healthy, copy.text) for copy in gone])  # written twice counts once
        over = {id(copy) for copy in copies if copy.since != since or oldest is None or copy.last < oldest}
        self._copies = deque((copy for copy in self._copies if id(copy) not in over), COPIES)

    async def drain_forever(self, record: RecordEach) -> None:
        """Write what waits whenever the database answers; ends by being cancelled. One worker at a time does it."""
        while True:
            try:
                await self.look_after_copies()
                if await self._broker.spilled() and await self._broker.may_drain(self._name, DRAINER_TTL_S):
                    await self._drain(record)
            except Unavailable as error:
                _log.debug("spill_waits", error=str(error))  # the loops that hand out work say so louder
            await asyncio.sleep(LOOK_S)

    async def _drain(self, record: RecordEach) -> None:
        written = 0
        while batch := await self._broker.peek_spill(BATCH):
            results = await self._read([text for text, _ in batch])
            await record(results)
            await self._broker.drained([number for _, number in batch])
            await self._broker.announce_results(sorted({result.monitor_id for result in results}))
            written += len(results)
            if not await self._broker.may_drain(self._name, DRAINER_TTL_S):
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
                await self._broker.set_aside(text)
        return results


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
