-- What Prometheus may ask of monitors.

-- name: monitors
-- Every monitor as it is now, with its uptime of the last 24 hours and when what it saw runs out. One pass over each
-- table, however many monitors there are; the uptime of those that did not change in the day is that of their status.
with m as materialized (
  select id, name, type from monitors where archived_at is null
), u as materialized (
  select monitor_id, uptime from uptime_ranks(now())
), e as materialized (
  select monitor_id, max(extract(epoch from expires_at)) filter (where kind = 'certificate') as certificate,
    max(extract(epoch from expires_at)) filter (where kind = 'domain') as domain
  from monitor_expiries
  group by monitor_id
)
select m.id, m.name, m.type, shown_status(s.status, w.monitor_id is not null)::text as status,
  s.status::text as real_status, s.latency_ms, extract(epoch from s.last_slot)::double precision as last_slot,
  extract(epoch from s.since)::double precision as since, (case when u.monitor_id is not null then u.uptime
    when s.status in ('up', 'degraded') then 1 when s.status = 'down' then 0 end)::double precision as uptime,
  e.certificate::double precision as certificate, e.domain::double precision as domain
from m
join monitor_states s on s.monitor_id = m.id
left join monitors_in_maintenance(now()) w on w.monitor_id = m.id
left join u on u.monitor_id = m.id
left join e on e.monitor_id = m.id
order by m.id
