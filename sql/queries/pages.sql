-- name: beats
-- The last results of each monitor, for the bars. The window keeps a long-paused monitor from reading every chunk; since
-- is the longest of these windows, as a time that the planner knows: it leaves out all older chunks. Maintenance is
-- first put together by whom it is for, of those wanted: there are few such, and thousands of results.
with scopes as materialized (
  select w.everything, w.settled, w.tags, w.windows, array(
    select id from unnest(w.monitor_ids) named (id) join unnest(%(monitors)s::bigint[]) wanted (id) using (id)) as ids
  from (
    select w.everything, w.settled, w.tags, w.monitor_ids, range_agg(w.during) as windows
    from maintenance_windows w
    where w.during && tstzrange(%(since)s, greatest(%(since)s, now()), '[]')
    group by w.everything, w.settled, w.tags, w.monitor_ids) w
)
select b.*, coalesce(b.scheduled_at <@ planned.windows, false) as maintained
from unnest(%(monitors)s::bigint[]) wanted (id)
join monitors m on m.id = wanted.id
cross join lateral (
  select range_agg(s.windows) as windows
  from scopes s
  where s.everything or m.id = any(s.ids) or not s.settled and m.tags && s.tags) planned
cross join lateral (
  select r.monitor_id, r.scheduled_at, r.region, r.status::text as status, r.reason, r.message, r.latency_ms
  from results r
  where r.monitor_id = m.id
    and r.scheduled_at > now() - greatest(m.interval_s * 120, 86400) * interval '1 second'
    and r.scheduled_at > %(since)s
  order by r.scheduled_at desc
  limit %(most)s * cardinality(m.regions)) b

-- name: uptime_day
-- Time-weighted uptime of a page of monitors over the last 24 hours.
select monitor_id, uptime from uptime(%(monitors)s::bigint[], now() - interval '24 hours', now())

-- name: uptimes
-- One monitor's uptime, weighted by time, over the four windows that people ask for.
select w.label, s.up_s / nullif(s.up_s + s.down_s, 0) as uptime, s.up_s, s.down_s,
  s.maintenance_s + s.other_s as unmonitored_s
from (values (1, '24 h'), (2, '7 d'), (3, '30 d'), (4, '1 y')) w (place, label)
left join monitor_spent(%(monitor)s,
  array[now() - interval '24 hours', now() - interval '7 days', now() - interval '30 days', now() - interval '365 days'],
  array[now(), now(), now(), now()]) s on s.place = w.place and s.known
order by w.place
