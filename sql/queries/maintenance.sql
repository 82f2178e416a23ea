-- Maintenance: what is planned, and the windows that come of it. What is past is never changed.

-- name: create
insert into maintenances (title, description, enabled, rule, zone, counts, everything, tags, monitor_ids)
values (%(title)s, %(description)s, %(enabled)s, %(rule)s, %(zone)s, %(counts)s, %(everything)s, %(tags)s,
  %(monitor_ids)s)
returning id, now()

-- name: update
update maintenances
set title = %(title)s, description = %(description)s, enabled = %(enabled)s, rule = %(rule)s, zone = %(zone)s,
  counts = %(counts)s, everything = %(everything)s, tags = %(tags)s, monitor_ids = %(monitor_ids)s,
  updated_at = clock_timestamp()
where id = %(id)s

-- name: archive
update maintenances set archived_at = now(), updated_at = clock_timestamp() where id = %(id)s

-- name: unknown_monitors
-- Which of these are no monitors (any more).
select id from unnest(%(monitor_ids)s::bigint[]) id
where id not in (select m.id from monitors m where m.archived_at is null)
order by id

-- name: clear_coming
delete from maintenance_windows where maintenance_id = %(id)s and starts_at >= now()

-- name: cut_running
-- What somebody started by hand goes on, unless told otherwise.
update maintenance_windows set ends_at = now()
where maintenance_id = %(id)s and starts_at < now() and ends_at > now() and (%(by_hand_too)s or not by_hand)

-- name: split_running
-- For others from now on: what was until now stays as it was.
insert into maintenance_windows (maintenance_id, starts_at, ends_at, by_hand, counts, everything, tags, monitor_ids)
select m.id, now(), w.ends_at, w.by_hand, m.counts, m.everything, m.tags, m.monitor_ids
from maintenance_windows w join maintenances m on m.id = w.maintenance_id
where m.id = %(id)s and w.starts_at < now() and w.ends_at > now()

-- name: rescope_coming
update maintenance_windows w
set counts = m.counts, everything = m.everything, tags = m.tags, monitor_ids = m.monitor_ids
from maintenances m
where m.id = %(id)s and w.maintenance_id = m.id and w.starts_at >= now()

-- name: start
insert into maintenance_windows (maintenance_id, starts_at, ends_at, by_hand, counts, everything, tags, monitor_ids)
select m.id, now(), now() + %(length)s, true, m.counts, m.everything, m.tags, m.monitor_ids
from maintenances m
where m.id = %(id)s and m.enabled and m.archived_at is null
  and not exists (select from maintenance_windows w where w.maintenance_id = m.id and w.during @> now())
returning id

-- name: end
update maintenance_windows set ends_at = greatest(now(), starts_at + interval '1 millisecond')
where maintenance_id = %(id)s and during @> now()
returning id

-- name: extend
update maintenance_windows set ends_at = ends_at + %(length)s
where id = (
  select id from maintenance_windows where maintenance_id = %(id)s and during @> now() order by ends_at desc limit 1)
returning id

-- name: listed
-- What is not deleted, with the window that runs now and how many monitors it is for.
select m.id, m.title, m.description, m.enabled, m.rule, m.zone, m.counts, m.everything, m.tags, m.monitor_ids,
  m.updated_at, now() as now, w.starts_at as running_since, w.ends_at as running_until, (
    select count(*) from monitors o
    where o.archived_at is null and (m.everything or o.id = any(m.monitor_ids) or o.tags && m.tags)) as monitors
from maintenances m
left join lateral (
  select min(starts_at) as starts_at, max(ends_at) as ends_at from maintenance_windows
  where maintenance_id = m.id and during @> now()) w on true
where m.archived_at is null and (%(id)s::bigint is null or m.id = %(id)s)
  and (%(before)s::bigint is null or m.id < %(before)s)
order by m.id desc
limit %(most)s
