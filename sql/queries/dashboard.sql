-- The dashboard: what is wrong now, what soon will be, and what was. Every statement reads a few rows by an index.

-- name: troubles
-- Of what is down, degraded and unknown the first few, and how many there are. What nobody takes care of comes first,
-- the newest before the older. What is in maintenance is no trouble.
with resting as materialized (
  select monitor_id from monitors_in_maintenance(now())
), cared_for as materialized (
  select id, acknowledged_by from incidents where ended_at is null and acknowledged_at is not null
)
select r.monitor_id, m.name, kind.status::text as status, r.since, r.reason, r.message, r.latency_ms, r.incident_id,
  r.acknowledged_by, r.in_all
from unnest(array['down', 'degraded', 'unknown']::monitor_status[]) kind (status)
cross join lateral (
  select s.monitor_id, s.since, s.reason, s.message, s.latency_ms, s.incident_id, c.acknowledged_by,
    count(*) over () as in_all, c.id is not null as cared
  from monitor_states s
  left join cared_for c on c.id = s.incident_id
  where s.status = kind.status and s.monitor_id not in (select monitor_id from resting)
  order by cared, s.since desc, s.monitor_id desc
  limit %(most)s) r
join monitors m on m.id = r.monitor_id
order by kind.status, r.cared, r.since desc, r.monitor_id desc

-- name: reasons
-- Why monitors are down, and how many for each reason, the most common first.
select reason, count(*) as monitors
from monitor_states
where status = 'down' and monitor_id not in (select monitor_id from monitors_in_maintenance(now()))
group by reason
order by count(*) desc, reason
limit %(most)s

-- name: slow
-- Monitors whose latency is above what their rules allow, the newest first.
select p.monitor_id, m.name, p.started_at, p.percentile, p.window_s, p.above_ms, p.value_ms, count(*) over () as in_all
from slow_spells p join monitors m on m.id = p.monitor_id
where p.ended_at is null and m.enabled and m.archived_at is null
order by p.started_at desc, p.id desc
limit %(most)s

-- name: expiring
-- Certificates and registrations that end soon, or have ended; of monitors that still see them. Who is switched off or
-- deleted is paused.
with idle as materialized (
  select monitor_id from monitor_states where status = 'paused'
), soon as (
  select e.monitor_id, e.kind, e.expires_at, e.subject, count(*) over () as in_all
  from monitor_expiries e
  where e.expires_at < now() + %(within)s and e.seen_at > now() - interval '3 days'
    and e.monitor_id not in (select monitor_id from idle)
  order by e.expires_at, e.monitor_id
  limit %(most)s
)
select s.monitor_id, m.name, s.kind, s.expires_at, s.subject, s.expires_at <= now() as over, s.in_all
from soon s join monitors m on m.id = s.monitor_id
order by s.expires_at, s.monitor_id

-- name: maintenance
-- Windows that run, and the next ones.
select w.maintenance_id, m.title, w.starts_at, w.ends_at, w.starts_at <= now() as running, w.everything, w.tags,
  cardinality(w.monitor_ids) as chosen
from maintenance_windows w join maintenances m on m.id = w.maintenance_id
where w.ends_at > now() and w.starts_at < now() + %(within)s
order by w.starts_at, w.id
limit %(most)s

-- name: mark
-- Changes when something on the dashboard may have: cheaper than to draw it.
select concat_ws('.', (select max(id) from transitions), (select max(id) from incident_events),
  (select extract(epoch from max(updated_at)) from monitors),
  (select concat_ws('-', count(*), max(id)) from pipeline_incidents where ended_at is null),
  (select concat_ws('-', count(*), max(id)) from slow_spells where ended_at is null),
  (select md5(string_agg(concat_ws('-', id, starts_at, ends_at), ',' order by id)) from maintenance_windows
    where ends_at > now() and starts_at < now() + %(within)s))
