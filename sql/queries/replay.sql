-- A monitor's history as it was recorded. Read in pages: on the embedded database a cursor would keep everybody waiting.

-- name: monitors
-- Those of this id or name; a deleted one only where no other is called so.
select id, name, passive, alerts, archived_at is not null as archived
from monitors
where id::text = %(wanted)s or name = %(wanted)s
order by archived_at is not null, id
limit 20

-- name: versions
select version, valid_from, failure_threshold, recovery_threshold, interval_s, timeout_s
from monitor_versions
where monitor_id = %(monitor)s
order by version

-- name: before
-- What the monitor was at that time: its last transition until then, or its first.
select at, to_status::text, incident_id is not null and to_status in ('down', 'unknown') as down
from transitions
where monitor_id = %(monitor)s
order by at > %(since)s, case when at <= %(since)s then at end desc, case when at <= %(since)s then id end desc, at, id
limit 1

-- name: acts
-- What people did: paused it, resumed it, called an outage over.
select at, to_status::text, incident_id is not null and from_status <> 'paused' and to_status = 'pending' as by_hand
from transitions
where monitor_id = %(monitor)s and to_status in ('paused', 'pending') and from_status is not null
  and at > %(since)s and at < %(until)s
order by at, id

-- name: results
select scheduled_at, region, version, status::text, reason, message, recorded_at
from results
where monitor_id = %(monitor)s and scheduled_at >= %(after)s and scheduled_at < %(until)s
  and (scheduled_at, region) > (%(after)s, %(after_region)s)
order by scheduled_at, region
limit %(most)s

-- name: incidents
-- With the kinds of news that were told of each, in order.
select i.started_at, i.confirmed_at, i.ended_at, i.reason, i.message, i.closed_by, coalesce(told.kinds, '{}')
from incidents i
left join lateral (
  select array_agg(n.kind order by n.told_at, n.id) as kinds
  from notifications n where n.incident_id = i.id and n.status = 'sent') told on true
where i.monitor_id = %(monitor)s and i.started_at < %(until)s and coalesce(i.ended_at, 'infinity') >= %(since)s
order by i.started_at, i.id

-- name: maintenance
-- Until when each of these moments is in maintenance, or null.
select maintenance_until(%(monitor)s, moment) from unnest(%(moments)s::timestamptz[]) with ordinality m (moment, place)
order by place
