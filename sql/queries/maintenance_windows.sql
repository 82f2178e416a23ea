-- Windows of maintenance: written ahead, shown, and settled when they are over.

-- name: lock
-- As it is until the end of the transaction: an edit and the leader's planning never mix.
select id, title, description, enabled, rule, zone, counts, everything, tags, monitor_ids, planned_until, updated_at,
  now() as now
from maintenances
where id = %(id)s and archived_at is null
for update

-- name: lengthen
-- A window that begins before another one ends, or just then, makes that one longer.
update maintenance_windows w set ends_at = greatest(w.ends_at, %(ends_at)s), settled = false
from maintenances m
where m.id = %(id)s and w.maintenance_id = m.id and not w.by_hand
  and w.starts_at <= %(starts_at)s and w.ends_at >= %(starts_at)s
  and (w.counts, w.everything, w.tags, w.monitor_ids) = (m.counts, m.everything, m.tags, m.monitor_ids)
returning w.id

-- name: add_windows
insert into maintenance_windows (maintenance_id, starts_at, ends_at, counts, everything, tags, monitor_ids)
select m.id, planned.starts_at, planned.ends_at, m.counts, m.everything, m.tags, m.monitor_ids
from maintenances m
cross join unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) planned (starts_at, ends_at)
where m.id = %(id)s

-- name: mark_planned
update maintenances set planned_until = %(until)s where id = %(id)s

-- name: of_monitor
-- The windows that a monitor is in, of those that touch the span.
select w.maintenance_id, m.title, w.starts_at, w.ends_at, w.counts
from maintenance_windows w join maintenances m on m.id = w.maintenance_id
where w.during && tstzrange(%(origin)s, %(ending)s, '[]')
  and (w.everything or %(monitor)s::bigint = any(w.monitor_ids)
    or not w.settled and exists (select from monitors o where o.id = %(monitor)s and o.tags && w.tags))
order by w.starts_at, w.id
limit 500

-- name: past
-- Windows that are over, newest first. The cursor is the last row's end and id.
select w.id, w.maintenance_id, m.title, m.zone, m.archived_at is not null as archived, w.starts_at, w.ends_at,
  w.by_hand, w.counts
from maintenance_windows w join maintenances m on m.id = w.maintenance_id
where w.ends_at <= now()
  and (%(before_id)s::bigint is null or (w.ends_at, w.id) < (%(before)s::timestamptz, %(before_id)s::bigint))
order by w.ends_at desc, w.id desc
limit %(most)s

-- name: due
-- What the leader has to plan further ahead.
select id from maintenances
where enabled and archived_at is null and planned_until < now() + interval '34 days'
order by id

-- name: settle
-- What is over names its monitors from now on: a tag that comes or goes later does not change the past.
update maintenance_windows w
set settled = true,
  monitor_ids = case when w.everything or w.tags = '{}' then w.monitor_ids
    else array(select m.id from monitors m where m.id = any(w.monitor_ids) or m.tags && w.tags order by m.id) end
where not w.settled and w.ends_at <= now()

-- name: turned
-- Whether a window began or ended since then; and what time it is.
select now(), exists (
  select from maintenance_windows
  where starts_at > %(since)s and starts_at <= now() or ends_at > %(since)s and ends_at <= now())
