-- What the scheduler needs of the definitions.

-- name: all_active
-- Everything that is to be scheduled: the reconcile compares it with what Redis has.
select id, version, interval_s, slot_phase(id, interval_s), timeout_s, regions
from monitors
where enabled and not passive and archived_at is null

-- name: active
-- The same for the monitors of one hint; those that are missing are to be removed.
select id, version, interval_s, slot_phase(id, interval_s), timeout_s, regions
from monitors
where id = any(%(monitor_ids)s) and enabled and not passive and archived_at is null

-- name: runnable
-- What a worker needs to run a job, many at a time; it keeps them by id and version.
select id, version, type, options, timeout_s
from monitors
where id = any(%(monitor_ids)s) and archived_at is null

-- name: runnable_in
-- The same of everything that a region's workers may be asked to run, or of some of it.
select id, version, type, options, timeout_s
from monitors
where enabled and not passive and archived_at is null and %(region)s = any(regions)
  and (%(monitor_ids)s::bigint[] is null or id = any(%(monitor_ids)s))
