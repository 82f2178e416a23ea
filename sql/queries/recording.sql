-- One transaction a batch of results: states are locked in the order of ids, results written once, states advanced.

-- name: lock_states
-- Always in the order of ids, so that two recorders never wait for each other in a circle. One JSON document, here and
-- below, is cheaper than many rows or arrays, for the worker and for the database.
select coalesce(json_agg(locked), '[]')::text
from (
  select s.monitor_id, s.status, s.since, s.version, s.last_slot, s.failures, s.successes, s.unknowns, s.streak_since,
    s.incident_id, s.incident_id is not null as down, s.reason, s.message, s.latency_ms, m.failure_threshold,
    m.recovery_threshold, m.interval_s, m.timeout_s, m.passive
  from monitor_states s
  join monitors m on m.id = s.monitor_id
  where s.monitor_id = any(%(monitor_ids)b)
  order by s.monitor_id
  for no key update of s
) locked

-- name: insert_results
-- A check that ran twice counts once. What was not written is returned: nearly always that is nothing.
with given as materialized (
  select *
  from json_to_recordset(%(results)s::json) as r (
    monitor_id bigint, scheduled_at timestamptz, region text, version integer, status monitor_status, reason text,
    message text, latency_ms real, phases json, started_at timestamptz, evidence jsonb)
), written as (
  insert into results (
    monitor_id, scheduled_at, region, version, status, reason, message, latency_ms, dns_ms, connect_ms, tls_ms,
    first_byte_ms, transfer_ms, started_at, recorded_at, evidence)
  select monitor_id, scheduled_at, region, version, status, reason, message, latency_ms, (phases ->> 'dns')::real,
    (phases ->> 'connect')::real, (phases ->> 'tls')::real, (phases ->> 'first_byte')::real,
    (phases ->> 'transfer')::real, started_at, clock_timestamp(), evidence
  from given
  where monitor_id in (select id from monitors)
  on conflict do nothing
  returning monitor_id, scheduled_at, region
)
select monitor_id, scheduled_at, region from given
except
select monitor_id, scheduled_at, region from written

-- name: open_incidents
insert into incidents (monitor_id, started_at, confirmed_at, reason, message, region, evidence)
select monitor_id, at, confirmed_at, reason, message, region, evidence
from json_to_recordset(%(incidents)s::json) as i (
  monitor_id bigint, at timestamptz, confirmed_at timestamptz, reason text, message text, region text, evidence jsonb)
returning monitor_id, id

-- name: close_incidents
-- Locked in the order of ids, as by people who handle several at once.
with wanted as (
  select incident_id, at from json_to_recordset(%(incidents)s::json) as w (incident_id bigint, at timestamptz)
), locked as materialized (
  select i.id, w.at
  from incidents i join wanted w on w.incident_id = i.id
  order by i.id
  for no key update of i
)
update incidents i set ended_at = greatest(locked.at, i.started_at), closed_by = 'recovery'
from locked where i.id = locked.id

-- name: insert_transitions
insert into transitions (monitor_id, at, confirmed_at, from_status, to_status, reason, message, incident_id)
select monitor_id, at, confirmed_at, from_status, to_status, reason, message, incident_id
from json_to_recordset(%(transitions)s::json) as t (
  monitor_id bigint, at timestamptz, confirmed_at timestamptz, from_status monitor_status, to_status monitor_status,
  reason text, message text, incident_id bigint)

-- name: write_states
-- The rows are locked, and their versions checked by the state machine.
update monitor_states s set
  status = n.status, since = n.since, version = n.version, last_slot = n.last_slot, failures = n.failures,
  successes = n.successes, unknowns = n.unknowns, streak_since = n.streak_since, reason = n.reason,
  message = n.message, latency_ms = n.latency_ms, incident_id = n.incident_id
from json_to_recordset(%(states)s::json) as n (
  monitor_id bigint, status monitor_status, since timestamptz, version integer, last_slot timestamptz,
  failures integer, successes integer, unknowns integer, streak_since timestamptz, reason text, message text,
  latency_ms real, incident_id bigint)
where s.monitor_id = n.monitor_id

-- name: write_expiries
-- In the order of monitors, none of an older version. seen_at says that it still is so.
insert into monitor_expiries (monitor_id, kind, expires_at, subject)
select e.monitor_id, e.kind, e.expires_at, e.subject
from json_to_recordset(%(expiries)s::json) as e (
  monitor_id bigint, version integer, kind text, expires_at timestamptz, subject text)
join monitors m on m.id = e.monitor_id and m.version = e.version
order by e.monitor_id, e.kind
on conflict (monitor_id, kind) do update set
  expires_at = excluded.expires_at, subject = excluded.subject, seen_at = excluded.seen_at
