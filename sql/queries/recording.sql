-- One transaction a batch of results: states are locked in the order of ids, results written once, states advanced.

-- name: lock_states
-- Always in the order of ids, so that two recorders never wait for each other in a circle.
select s.monitor_id, s.status, s.since, s.version, s.last_slot, s.failures, s.successes, s.unknowns, s.streak_since,
  s.incident_id, s.reason, s.message, s.latency_ms, m.failure_threshold, m.recovery_threshold,
  m.interval_s, m.timeout_s
from monitor_states s
join monitors m on m.id = s.monitor_id
where s.monitor_id = any(%(monitor_ids)b)
order by s.monitor_id
for no key update of s

-- name: insert_results
-- A check that ran twice counts once; only what was written now is returned.
insert into results (
  monitor_id, scheduled_at, region, version, status, reason, message, latency_ms, dns_ms, connect_ms, tls_ms,
  first_byte_ms, transfer_ms, started_at, recorded_at, evidence)
select monitor_id, scheduled_at, region, version, status::monitor_status, reason, message, latency_ms, dns_ms,
  connect_ms, tls_ms, first_byte_ms, transfer_ms, started_at, clock_timestamp(), evidence::jsonb
from unnest(
  %(monitor_id)b::bigint[], %(scheduled_at)b::timestamptz[], %(region)b::text[], %(version)b::integer[],
  %(status)b::text[], %(reason)t::text[], %(message)t::text[], %(latency_ms)t::real[], %(dns)t::real[],
  %(connect)t::real[], %(tls)t::real[], %(first_byte)t::real[], %(transfer)t::real[],
  %(started_at)b::timestamptz[], %(evidence)b::text[])
  as r (monitor_id, scheduled_at, region, version, status, reason, message, latency_ms, dns_ms, connect_ms, tls_ms,
    first_byte_ms, transfer_ms, started_at, evidence)
where monitor_id in (select id from monitors)
on conflict do nothing
returning monitor_id, scheduled_at, region

-- name: open_incident
insert into incidents (monitor_id, started_at, confirmed_at, reason, message, region, evidence)
values (%(monitor_id)s, %(at)s, %(confirmed_at)s, %(reason)s, %(message)s, %(region)s, %(evidence)s)
returning id

-- name: close_incident
update incidents set ended_at = greatest(%(at)s, started_at), closed_by = 'recovery' where id = %(incident_id)s

-- name: insert_transition
insert into transitions (monitor_id, at, confirmed_at, from_status, to_status, reason, message, incident_id)
values (%(monitor_id)s, %(at)s, %(confirmed_at)s, %(from_status)s, %(to_status)s, %(reason)s, %(message)s,
  %(incident_id)s)

-- name: write_states
-- The rows are locked, and their versions checked by the state machine.
update monitor_states s set
  status = n.status::monitor_status, since = n.since, version = n.version, last_slot = n.last_slot,
  failures = n.failures, successes = n.successes, unknowns = n.unknowns, streak_since = n.streak_since,
  reason = n.reason, message = n.message, latency_ms = n.latency_ms, incident_id = n.incident_id
from unnest(
  %(monitor_id)b::bigint[], %(status)b::text[], %(since)b::timestamptz[], %(version)b::integer[],
  %(last_slot)t::timestamptz[], %(failures)b::integer[], %(successes)b::integer[], %(unknowns)b::integer[],
  %(streak_since)t::timestamptz[], %(reason)t::text[], %(message)t::text[], %(latency_ms)t::real[],
  %(incident_id)t::bigint[])
  as n (monitor_id, status, since, version, last_slot, failures, successes, unknowns, streak_since, reason, message,
    latency_ms, incident_id)
where s.monitor_id = n.monitor_id
