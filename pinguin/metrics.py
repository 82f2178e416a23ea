"""What Prometheus may ask. Every process makes its own registry, and passes it on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pinguin.broker import Broker
from pinguin.broker.pipeline import Pipeline
from pinguin.db import Pool
from pinguin.errors import Unavailable

WORKER_SEEN_S = 20.0
LOOK_S = 4.0
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


def make_registry(pool: Pool) -> CollectorRegistry:
    """A registry with this process' memory, processor time and files, and its database connections."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    connections = Gauge("pinguin_database_connections", "Database connections of this process", registry=registry)
    connections.set_function(lambda: pool.get_stats().get("pool_size", 0))
    waiting = Gauge("pinguin_database_waiting", "Tasks that wait for a database connection", registry=registry)
    waiting.set_function(lambda: pool.get_stats().get("requests_waiting", 0))
    return registry


class SchedulerMetrics:
    """What one scheduler did, and whether it leads."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self.leads = False
        self._dispatched_at: float | None = None
        self._lag = Histogram(
            "pinguin_dispatch_lag_seconds",
            "From the whole second at which a dispatch was due to its start",
            buckets=SECONDS,
            registry=registry,
        )
        self._due = Counter("pinguin_due_monitors", "Monitors taken from the schedule", registry=registry)
        self._pushed = Counter("pinguin_pushed_jobs", "Jobs put on queues by this scheduler", registry=registry)
        age = Gauge("pinguin_dispatch_age_seconds", "Since this scheduler's last dispatch", registry=registry)
        age.set_function(lambda: self.dispatch_age_s() or 0)
        leads = Gauge("pinguin_leads", "1 while this scheduler leads", registry=registry)
        leads.set_function(lambda: self.leads)

    def dispatched(self, due: int, pushed: int, lag_s: float) -> None:
        self._dispatched_at = monotonic()
        self._due.inc(due)
        self._pushed.inc(pushed)
        self._lag.observe(max(0.0, lag_s))

    def dispatch_age_s(self) -> float | None:
        """Seconds since the last dispatch; None before the first."""
        return None if self._dispatched_at is None else monotonic() - self._dispatched_at


class WorkerMetrics:
    """What one worker did."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self.running = Gauge("pinguin_running_checks", "Checks that run now", registry=registry)
        self.waiting = Gauge("pinguin_waiting_results", "Results in memory, not yet kept", registry=registry)
        self._checks = Counter("pinguin_checks", "Checks that ended", ["status", "reason"], registry=registry)
        self._ended: dict[tuple[str, str | None], Counter] = {}
        self._lateness = Histogram(
            "pinguin_check_lateness_seconds",
            "From the slot of a check to its start",
            buckets=SECONDS,
            registry=registry,
        )
        self._commits = Histogram(
            "pinguin_commit_seconds", "Transactions that wrote results", buckets=SECONDS, registry=registry
        )
        self._results = Counter(
            "pinguin_results",
            "Results by what became of them: written to the database (also those that were spilled before), "
            "spilled to Redis, refused by the database",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("written", "spilled", "refused"):
            self._results.labels(outcome)
        self._messages = Counter(
            "pinguin_messages",
            "Tries to send a message to a channel, by how they ended",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("delivered", "failed", "refused"):
            self._messages.labels(outcome)

    def started(self, lateness_s: float) -> None:
        self._lateness.observe(max(0.0, lateness_s))

    def checked(self, status: str, reason: str | None) -> None:
        ended = self._ended.get((status, reason))
        if ended is None:
            ended = self._ended[status, reason] = self._checks.labels(status, reason or "")
        ended.inc()

    def committed(self, results: int, seconds: float) -> None:
        self._commits.observe(seconds)
        self._results.labels("written").inc(results)

    def spilled(self, results: int) -> None:
        self._results.labels("spilled").inc(results)

    def message(self, outcome: str) -> None:
        self._messages.labels(outcome).inc()

    def refused(self, results: int) -> None:
        self._results.labels("refused").inc(results)


class PipelineMetrics(Collector):
    """What Redis holds, as it was at the last `refresh`; nothing while Redis is away."""

    def __init__(self, registry: CollectorRegistry, broker: Broker) -> None:
        self._broker = broker
        self._seen: Pipeline | None = None
        registry.register(self)

    async def refresh(self) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                self._seen = await self._broker.look(WORKER_SEEN_S)
        except (Unavailable, TimeoutError):
            self._seen = None

    def collect(self) -> Iterator[Metric]:
        seen = self._seen
        yield GaugeMetricFamily("pinguin_redis_up", "1 while Redis answers", float(seen is not None))
        if seen is None:
            return
        yield GaugeMetricFamily("pinguin_scheduled_monitors", "Monitors in the schedule", seen.scheduled)
        yield GaugeMetricFamily("pinguin_leases", "Jobs handed out and not yet committed", seen.leased)
        yield GaugeMetricFamily("pinguin_spilled_results", "Results that wait in Redis for the database", seen.spilled)
        yield GaugeMetricFamily("pinguin_kept_pings", "Pings that wait in Redis for the database", seen.pings)
        yield _by_region("pinguin_queue_jobs", "Jobs in a region's queue", seen.queued)
        oldest = {region: seen.oldest_s.get(region, 0.0) for region in seen.queued}
        yield _by_region("pinguin_queue_oldest_seconds", "Age of the oldest job in a region's queue", oldest)
        yield _by_region("pinguin_workers", "Workers that live", seen.workers)
        events = CounterMetricFamily(
            "pinguin_pipeline", "What happened to slots, jobs and results, in all processes", labels=["event"]
        )
        for name, count in seen.counters.items():
            events.add_metric([name], count)
        yield events
        leader = GaugeMetricFamily("pinguin_leader", "1 for the scheduler that leads", labels=["leader"])
        if seen.leader is not None:
            leader.add_metric([seen.leader.partition(":")[2]], 1)
        yield leader


def _by_region(name: str, about: str, values: dict[str, int] | dict[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=["region"])
    for region, value in values.items():
        family.add_metric([region], value)
    return family
