-- The list of monitors: its groups, what is within a filter, and the views that people keep.

-- name: grouped
-- The first rows of each of these tags ('' is for those without one), in the same orders as the list.
with maintained as materialized (
  select monitor_id from monitors_in_maintenance(now())
), uptimes as materialized (
  select monitor_id, uptime from uptime_ranks(now()) where %(sort)s::text = 'uptime'
), found as materialized (
  select m.id, m.sort_name, m.tags, coalesce((case %(sort)s::text
    when 'status' then status_rank(shown.status)
    when 'latency' then case when s.status in ('up', 'degraded') then -s.latency_ms end
    when 'uptime' then case when u.monitor_id is not null then u.uptime
      when s.status in ('up', 'degraded') then 1 when s.status = 'down' then 0 end
    when 'change' then -date_part('epoch', s.since)
    when 'interval' then m.interval_s
    else 0 end)::double precision, 1e300) as rank
  from monitors m
  join monitor_states s on s.monitor_id = m.id
  left join uptimes u on u.monitor_id = m.id
  cross join lateral (
    select shown_status(s.status, m.id in (select monitor_id from maintained)) as status) shown
  where m.archived_at is null
    and (m.tags && %(open)s or m.tags = '{}' and '' = any(%(open)s))
    and (%(status)s::monitor_status is null or shown.status = %(status)s)
    and (%(type)s::text is null or m.type = %(type)s)
    and (%(tags)s::text[] is null or m.tags @> %(tags)s)
    and (%(search)s::text is null or strpos(m.words, lower(%(search)s)) > 0)
)
select wanted.tag, first.id
from unnest(%(open)s::text[]) with ordinality wanted (tag, place)
cross join lateral (
  select id, rank, sort_name from found
  where wanted.tag = any(found.tags) or wanted.tag = '' and found.tags = '{}'
  order by rank, sort_name, id limit %(most)s) first
order by wanted.place, first.rank, first.sort_name, first.id

-- name: groups
-- The tags in use within a filter, and how many of their monitors have each status; '' is for those without a tag. Those
-- with the same tags are counted first, and then by each of them.
with maintained as materialized (
  select monitor_id from monitors_in_maintenance(now())
), found as (
  select m.tags, shown_status(s.status, m.id in (select monitor_id from maintained)) as status, count(*) as monitors
  from monitors m
  join monitor_states s on s.monitor_id = m.id
  where m.archived_at is null
    and (%(status)s::monitor_status is null
      or shown_status(s.status, m.id in (select monitor_id from maintained)) = %(status)s)
    and (%(type)s::text is null or m.type = %(type)s)
    and (%(tags)s::text[] is null or m.tags @> %(tags)s)
    and (%(search)s::text is null or strpos(m.words, lower(%(search)s)) > 0)
  group by 1, 2
)
select tag, jsonb_object_agg(status::text, monitors) as counts
from (
  select tag, status, sum(monitors)::bigint as monitors
  from found cross join lateral unnest(case when tags = '{}' then array[''] else tags end) tag
  group by tag, status) counted
group by tag
order by tag = '', lower(tag), tag
limit 200

-- name: counts_of
-- The same within a filter, whatever status it asks for.
with maintained as materialized (
  select monitor_id from monitors_in_maintenance(now())
)
select shown_status(s.status, m.id in (select monitor_id from maintained))::text as status, count(*) as monitors
from monitors m
join monitor_states s on s.monitor_id = m.id
where m.archived_at is null
  and (%(type)s::text is null or m.type = %(type)s)
  and (%(tags)s::text[] is null or m.tags @> %(tags)s)
  and (%(search)s::text is null or strpos(m.words, lower(%(search)s)) > 0)
group by 1

-- name: matching
-- Every monitor within a filter, or of these ids, locked in the order of ids: what is done to many is done to them.
with maintained as materialized (
  select monitor_id from monitors_in_maintenance(now())
)
select m.id
from monitors m
join monitor_states s on s.monitor_id = m.id
where m.archived_at is null
  and (%(ids)s::bigint[] is null or m.id = any(%(ids)s))
  and (%(status)s::monitor_status is null
    or shown_status(s.status, m.id in (select monitor_id from maintained)) = %(status)s)
  and (%(type)s::text is null or m.type = %(type)s)
  and (%(tags)s::text[] is null or m.tags @> %(tags)s)
  and (%(search)s::text is null or strpos(m.words, lower(%(search)s)) > 0)
order by m.id
for no key update of m

-- name: views
-- Somebody's own views of the list.
select id, name, query, is_default from saved_views where user_id = %(user)s order by lower(name), id

-- name: save_view
-- A name that is there gets another view. Nobody has more than fifty.
insert into saved_views (user_id, name, query, is_default)
select %(user)s, %(name)s, %(query)s, %(is_default)s
where (select count(*) from saved_views where user_id = %(user)s and lower(name) <> lower(%(name)s)) < 50
on conflict (user_id, lower(name)) do update
set name = excluded.name, query = excluded.query, is_default = excluded.is_default
returning id

-- name: no_default_view
-- Before another view becomes the default one: there is one at most.
update saved_views set is_default = false where user_id = %(user)s and is_default

-- name: make_default_view
update saved_views set is_default = true where user_id = %(user)s and id = %(id)s returning name

-- name: delete_view
delete from saved_views where user_id = %(user)s and id = %(id)s returning name
