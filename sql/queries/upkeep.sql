-- The leader's chores in the database.

-- name: mark_quiet
-- A monitor without a result for two intervals and its timeout is unknown: no evidence is neither up nor down.
-- Passive ones have no slots to miss.
-- It is so from its first missing slot, as the state machine has it; a result that comes late after all undoes it.
-- One that is unknown for another reason only gets a new reason. Locked in the order of ids, as recorders do.
with silent as (
  select s.monitor_id, s.status, m.interval_s, m.regions
  from monitor_states s
  join monitors m on m.id = s.monitor_id
  join monitor_versions v on v.monitor_id = m.id and v.version = m.version
  where not m.passive
    and (s.status in ('up', 'degraded', 'down', 'pending') or s.status = 'unknown' and s.reason is distinct from 'quiet')
    and greatest(coalesce(s.last_slot, s.since), v.valid_from)
      + make_interval(secs => 2 * m.interval_s + m.timeout_s) < %(as_of)s
  order by s.monitor_id
  for no key update of s
), quiet as (
  update monitor_states s set
    status = 'unknown',
    since = case when s.status = 'unknown' then s.since
      else greatest(coalesce(s.last_slot, s.since) + make_interval(secs => silent.interval_s), s.since) end,
    reason = 'quiet',
    message = coalesce(
      (select %(causes)s::jsonb ->> region from unnest(silent.regions) region where %(causes)s::jsonb ? region limit 1),
      'no result since ' || coalesce(to_char(s.last_slot at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), 'it was made'))
  from silent
  where s.monitor_id = silent.monitor_id
  returning s.monitor_id, s.since, silent.status, s.reason, s.message, s.incident_id
), noted as (
  insert into transitions (monitor_id, at, confirmed_at, from_status, to_status, reason, message, incident_id)
  select monitor_id, since, now(), status, 'unknown', reason, message, incident_id from quiet where status <> 'unknown'
)
select monitor_id from quiet order by monitor_id

-- name: quiet_monitors
-- How many monitors are unknown because nothing was heard of them.
select count(*) from monitor_states where status = 'unknown' and reason = 'quiet'

-- name: offline_monitors
-- How many monitors are unknown because a worker has no network.
select count(*) from monitor_states where status = 'unknown' and reason = 'offline'

-- name: regions
-- Where there is something to check.
select distinct region
from (select distinct regions from monitors where enabled and not passive and archived_at is null) m, unnest(m.regions) region

-- name: end_problems
-- What was wrong and is not any more.
update pipeline_incidents set ended_at = now()
where ended_at is null and code <> 'channel' and (code, region) not in (
  select problem ->> 'code', problem ->> 'region' from jsonb_array_elements(%(problems)s) problem)

-- name: raise_problems
-- One open row a problem, however long it lasts and however many monitors it concerns.
insert into pipeline_incidents (code, region, message)
select problem ->> 'code', problem ->> 'region', problem ->> 'message' from jsonb_array_elements(%(problems)s) problem
on conflict (code, region) where ended_at is null do update set message = excluded.message
returning code, region, message, xmax = 0

-- name: watch
-- The leader looked after the pipeline just now; returns when that is, and when it did before.
with before as (select watched_at from pipeline_watch)
insert into pipeline_watch (watched_at) values (now())
on conflict (only_row) do update set watched_at = excluded.watched_at
returning watched_at, (select watched_at from before)

-- name: note_unwatched
insert into pipeline_incidents (code, started_at, ended_at, message)
values ('unwatched', %(started_at)s, now(), 'nobody looked after the pipeline: no leader, a paused one, or no database')

-- name: problems
-- What is wrong now and what was lately, for people.
select code, region, started_at, ended_at, message from pipeline_incidents
where ended_at is null or ended_at > now() - %(within)s::interval
order by ended_at is not null, started_at desc
limit 100

-- name: due_jobs
-- TimescaleDB's jobs that should have run by now, longest overdue first. For a database without background workers.
select j.job_id, j.proc_name, coalesce(j.hypertable_name, '')
from timescaledb_information.jobs j
left join job_runs r on r.job_id = j.job_id
where j.scheduled and (r.last_run is null or r.last_run + j.schedule_interval <= now())
order by r.last_run nulls first, j.job_id

-- name: record_job
insert into job_runs (job_id, last_run, duration_ms, error) values (%(job_id)s, now(), %(duration_ms)s, %(error)s)
on conflict (job_id) do update set
  last_run = excluded.last_run, duration_ms = excluded.duration_ms, error = excluded.error

-- name: is_embedded
-- The embedded database is one session: it has no background workers and lists no activity, not even ours.
select not exists (select from pg_stat_activity)

-- name: forget_sessions
-- And one-time links and half-done sign-ins that are over, and what the API need not answer again.
with links as (
  delete from invitations where expires_at < now() - interval '30 days'
), steps as (
  delete from sign_in_steps where expires_at < now()
), keys as (
  delete from idempotency_keys where claimed_at < now() - interval '1 day'
)
delete from sessions where expires_at < now()

-- name: policies
-- The retention and columnstore policies that are set now.
select proc_name, hypertable_name, coalesce(config ->> 'drop_after', config ->> 'compress_after')::interval
from timescaledb_information.jobs
where proc_name in ('policy_retention', 'policy_compression')

-- name: drop_retention
select remove_retention_policy(%(relation)s::regclass, if_exists => true)

-- name: add_retention
select add_retention_policy(%(relation)s::regclass, drop_after => %(after)s::interval)

-- name: drop_columnstore
call remove_columnstore_policy(%(relation)s::regclass, if_exists => true)

-- name: add_columnstore
call add_columnstore_policy(%(relation)s::regclass, after => %(after)s::interval)

-- name: run_job
call run_job(%(job_id)s)

-- name: vacuum
-- The embedded database has no autovacuum; states are updated with every batch. Chunks are dropped, not deleted from.
vacuum (analyze) monitor_states, monitors, monitor_versions, transitions, incidents, pipeline_watch, job_runs, sessions,
  notifications, messages, channels
