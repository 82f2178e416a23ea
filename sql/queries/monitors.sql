-- name: create
-- The trigger writes the first version and the state beside it.
with made as (
  insert into monitors (name, type, target, options, interval_s, timeout_s, regions, failure_threshold,
    recovery_threshold, tags, alerts, passive)
  values (%(name)s, %(type)s, %(target)s, %(options)s, %(interval_s)s, %(timeout_s)s, %(regions)s,
    %(failure_threshold)s, %(recovery_threshold)s, %(tags)s, %(alerts)s, %(passive)s)
  returning id
), depending as (
  insert into monitor_dependencies (monitor_id, depends_on)
  select made.id, other.id from made, monitors other
  where other.id = any(%(depends_on)s) and other.archived_at is null
)
select id from made

-- name: update
-- Compare and set: a name or a tag changes updated_at alone, all else the version too, so both are compared.
with changed as (
  update monitors
  set name = %(name)s, type = %(type)s, target = %(target)s, options = %(options)s, interval_s = %(interval_s)s,
    timeout_s = %(timeout_s)s, regions = %(regions)s, failure_threshold = %(failure_threshold)s,
    recovery_threshold = %(recovery_threshold)s, tags = %(tags)s, alerts = %(alerts)s, passive = %(passive)s
  where id = %(id)s and version = %(version)s and updated_at = %(updated_at)s and archived_at is null
  returning id
), gone as (
  delete from monitor_dependencies d using changed
  where d.monitor_id = changed.id and d.depends_on <> all(%(depends_on)s::bigint[])
), added as (
  insert into monitor_dependencies (monitor_id, depends_on)
  select changed.id, other.id from changed, monitors other
  where other.id = any(%(depends_on)s) and other.archived_at is null
  on conflict do nothing
)
select id from changed

-- name: lock_dependencies
-- Two who each make half of a loop come one after the other.
lock table monitor_dependencies in share row exclusive mode

-- name: dependencies_below
-- What these monitors depend on, directly and through others.
with recursive below (id, depends_on) as (
  select monitor_id, depends_on from monitor_dependencies where monitor_id = any(%(depends_on)s)
  union
  select d.monitor_id, d.depends_on from below join monitor_dependencies d on d.monitor_id = below.depends_on
)
select b.id, m.name, b.depends_on from below b join monitors m using (id) where m.archived_at is null order by b.id

-- name: enable
-- Pausing twice changes nothing: only a change makes a version.
update monitors set enabled = %(enabled)s
where id = %(id)s and archived_at is null and enabled is distinct from %(enabled)s
returning id

-- name: archive
-- Deleted for people; its history keeps its name.
update monitors set archived_at = now() where id = %(id)s and archived_at is null returning id

-- name: get
-- One monitor with its state and the cause of the open incident. In maintenance its status is that, for people.
select m.id, m.name, m.type, m.target, m.options, m.interval_s, m.timeout_s, m.regions, m.failure_threshold,
  m.recovery_threshold, m.tags, m.alerts, array(
    select d.depends_on from monitor_dependencies d join monitors other on other.id = d.depends_on
    where d.monitor_id = m.id and other.archived_at is null order by lower(other.name)) as depends_on,
  m.passive, m.enabled, m.version, m.created_at, m.updated_at,
  shown_status(s.status, w.until is not null)::text as status, s.status::text as real_status,
  w.until as maintenance_until, s.since, s.reason, s.message, s.latency_ms, s.last_slot, s.failures, s.successes,
  i.started_at as incident_started_at
from monitors m
join monitor_states s on s.monitor_id = m.id
left join incidents i on i.id = s.incident_id
cross join lateral (select maintenance_until(m.id, now()) as until) w
where m.id = %(id)s and m.archived_at is null

-- name: listed
-- A page of the list. Every order is one number, then the name, then the id; the cursor is those of the last row. What
-- a page does not show is looked at in few columns, and read in full only for the rows that it shows. among: the
-- statuses that people see of the rows in question; found: what checks found of those, by which the index knows them.
with maintained as materialized (
  select monitor_id from monitors_in_maintenance(now())
), uptimes as materialized (
  select monitor_id, uptime from uptime_ranks(coalesce(%(as_of)s::timestamptz, now())) where %(sort)s::text = 'uptime'
), found as (
  select m.id, m.sort_name, shown.status, s.status as real_status, (case %(sort)s::text
    when 'status' then status_rank(shown.status)
    when 'latency' then case when s.status in ('up', 'degraded') then -s.latency_ms end
    when 'uptime' then case when u.monitor_id is not null then u.uptime
      when s.status in ('up', 'degraded') then 1 when s.status = 'down' then 0 end
    when 'change' then -date_part('epoch', s.since)
    when 'interval' then m.interval_s
    else 0 end)::double precision as key
  from monitors m
  join monitor_states s on s.monitor_id = m.id
  left join uptimes u on u.monitor_id = m.id
  cross join lateral (
    select shown_status(s.status, m.id in (select monitor_id from maintained)) as status) shown
  where m.archived_at is null
    and (%(ids)s::bigint[] is null or m.id = any(%(ids)s))
    and (%(among)s::monitor_status[] is null or shown.status = any(%(among)s::monitor_status[]))
    and (%(found)s::monitor_status[] is null or s.status = any(%(found)s::monitor_status[]))
    and (%(type)s::text is null or m.type = %(type)s)
    and (%(tags)s::text[] is null or m.tags @> %(tags)s)
    and (%(search)s::text is null or strpos(m.words, lower(%(search)s)) > 0)
), ranked as (
  select id, sort_name, status, real_status, coalesce(key, 1e300) as rank from found
), page as (
  select * from ranked
  where %(after_id)s::bigint is null
    or (rank, sort_name, id) > (%(after_rank)s::double precision, %(after_name)s::text, %(after_id)s::bigint)
  order by rank, sort_name, id
  limit %(most)s
)
select m.id, m.name, m.type, m.target, m.interval_s, m.regions, m.tags, m.passive, p.status::text as status,
  p.real_status::text as real_status, s.since, s.reason, s.message, s.latency_ms, s.last_slot, p.sort_name, p.rank
from page p
join monitors m on m.id = p.id
join monitor_states s on s.monitor_id = p.id
order by p.rank, p.sort_name, p.id

-- name: counts
-- How many monitors have each status; in maintenance they have that one. Of the states alone, less what was deleted,
-- for it is asked with every page and every change.
with maintained as materialized (
  select monitor_id from monitors_in_maintenance(now())
), counted (status, monitors) as (
  select status, count(*) from monitor_states group by status
  union all
  select s.status, -count(*) from monitors m join monitor_states s on s.monitor_id = m.id
  where m.archived_at is not null group by s.status
  union all
  select moved.status, sum(moved.monitors)
  from (
    select s.status, count(*) as monitors from maintained w join monitor_states s on s.monitor_id = w.monitor_id
    join monitors m on m.id = w.monitor_id
    where m.archived_at is null and s.status <> 'paused' group by s.status) changed
  cross join lateral (values (changed.status, -changed.monitors), ('maintenance'::monitor_status, changed.monitors))
    moved (status, monitors)
  group by moved.status
)
select status::text, sum(monitors)::bigint as monitors from counted group by status

-- name: tags
-- Every tag in use, to filter by.
select distinct tag from monitors, unnest(tags) tag where archived_at is null order by tag limit 200

-- name: mark
-- When a monitor was last added, edited or deleted, and which maintenance runs, as text.
select coalesce(extract(epoch from max(m.updated_at)), 0) || '-' || (
  select coalesce(md5(string_agg(w.id::text, ',' order by w.id)), '') from maintenance_windows w where w.during @> now())
from monitors m
