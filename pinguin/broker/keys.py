"""What stands in Redis: names of keys, and jobs as text. lua/keys.lua says what each key holds."""

from __future__ import annotations

from pinguin.model import Job

QUEUE = "pinguin:queue:"
DEFINITIONS = "pinguin:definitions"
COUNTERS = "pinguin:counters"
SCHEDULE = "pinguin:schedule"
LEASES = "pinguin:leases"
LEADER = "pinguin:leader"
EPOCH = "pinguin:epoch"
EVENTS = "pinguin:events"
WORKERS = "pinguin:workers"
SPILL = "pinguin:spill"
DRAINER = "pinguin:drainer"
ASIDE = "pinguin:spill:aside"
PINGS = "pinguin:pings"
PINGS_DRAINER = "pinguin:pings:drainer"


def job_text(job: Job) -> str:
    return f"{job.monitor_id}:{job.slot}:{job.version}:{job.attempt}"


def parse_job(text: str, region: str) -> Job:
    monitor_id, slot, version, attempt = map(int, text.split(":"))
    return Job(monitor_id, slot, version, attempt, region)
