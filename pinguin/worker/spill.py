"""Results that wait in Redis while Postgres is away, and go to it in order when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

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

Record = Callable[[Sequence[Result]], Awaitable[None]]
"""Writes results in one transaction; raises `Unavailable`, or `psycopg.Error` for what the database refuses."""
RecordEach = Callable[[Sequence[Result]], Awaitable[None]]
"""Writes results, but for those that the database refuses; raises `Unavailable`."""


class Spill:
    """One worker's way to the spilled results of all."""

    def __init__(self, broker: Broker, name: str, limit: int) -> None:
        self._broker, self._name, self._limit = broker, name, limit

    async def is_empty(self) -> bool:
        """False while results wait: newer ones then go behind them, so that states see them in order."""
        return await self._broker.spilled() == 0

    async def put(self, results: Sequence[Result]) -> None:
        """Keep results. Raises `Unavailable` when Redis is away too."""
        lost = await self._broker.spill(
            [(result.status is Status.UP, msgspec.json.encode(result).decode()) for result in results], self._limit
        )
        if lost:
            _log.error("results_lost", results=lost, limit=self._limit)

    async def drain_forever(self, record: RecordEach) -> None:
        """Write what waits whenever the database answers; ends by being cancelled. One worker at a time does it."""
        while True:
            try:
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
