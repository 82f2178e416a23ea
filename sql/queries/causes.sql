-- What monitors that failed at about the same time have in common.

-- name: failures
-- When each of these outages began, and why; and the first of them.
select monitor_id, started_at, reason from incidents where id = any(%(incidents)s) order by started_at, id limit %(most)s

-- name: shared
-- Traits that at least two of these monitors have, which of them do, and how many monitors do in all; and, without a
-- kind, how many monitors there are (0 where fewer than two are asked of). Hosts are read from what is watched, which
-- for push monitors is a schedule in words; addresses, resolvers and authorities are those that checks saw last before
-- `at`, where there are not too many monitors to look. What two of them share is found first: only that is looked for
-- in all others. Those are read once, by their regions and tags, of which there are few.
with definitions as materialized (
  select regions, tags, count(*) as monitors
  from monitors
  where cardinality(%(monitors)s::bigint[]) > 1 and (enabled and archived_at is null or id = any(%(monitors)s))
  group by regions, tags
), total as materialized (
  select coalesce(sum(monitors), 0)::bigint as monitors from definitions
), hosts as (
  select id, lower(coalesce(
    substring(target from '^([0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)$'),
    substring(target from '^(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:[^/@\s]*@)?(\[[^]]+\]|[^/:?#\s]+)'))) as host
  from monitors
  where id = any(%(monitors)s) and not passive
), seen as materialized (
  select w.id, r.evidence
  from monitors w
  cross join lateral (
    select evidence from results
    where monitor_id = w.id and scheduled_at <= %(at)s
      and scheduled_at > %(at)s - greatest(3 * w.interval_s, 900) * interval '1 second'
      and evidence ?| '{address,resolver,certificate}'
    order by scheduled_at desc limit 1) r
  where (w.enabled and w.archived_at is null or w.id = any(%(monitors)s))
    and (select monitors from total) between 1 and %(most)s
), met (id, kind, value) as materialized (
  select id, 'address', coalesce(substring(address from '^\[([^]]+)\]'), substring(address from '^[^:]*:[^:]*:.*$'),
    split_part(address, ':', 1)) from seen, lateral (select evidence ->> 'address' as address) a
  union all
  select id, 'resolver', evidence ->> 'resolver' from seen
  union all
  select id, 'issuer', evidence -> 'certificate' ->> 'issuer' from seen
), linked as materialized (
  select d.monitor_id, d.depends_on from monitor_dependencies d
  union all
  select distinct depends_on, depends_on from monitor_dependencies
), above as materialized (
  select id, name from monitors
  where id in (select depends_on from linked) and (enabled and archived_at is null or id = any(%(monitors)s))
), traits (id, kind, value, source) as (
  select id, 'tag', tag, 0::bigint from monitors, unnest(tags) tag where id = any(%(monitors)s)
  union all
  select id, 'region', region, 0 from monitors, unnest(regions) region where id = any(%(monitors)s)
  union all
  select id, 'host', host, 0 from hosts
  union all
  select id, kind, value, 0 from met where id = any(%(monitors)s)
  union all
  select l.monitor_id, 'dependency', a.name, a.id from linked l join above a on a.id = l.depends_on
  where l.monitor_id = any(%(monitors)s)
), shared as materialized (
  select kind, value, source, array_agg(distinct id) as monitor_ids
  from traits
  where value <> ''
  group by kind, value, source
  having count(distinct id) > 1
), counted (kind, value, source, of) as (
  select 'tag', s.value, 0, sum(d.monitors) from shared s join definitions d on d.tags @> array[s.value]
  where s.kind = 'tag' group by s.value
  union all
  select 'region', s.value, 0, sum(d.monitors) from shared s join definitions d on d.regions @> array[s.value]
  where s.kind = 'region' group by s.value
  union all
  select 'host', s.value, 0, others.monitors from shared s
  cross join lateral (
    select count(*) as monitors from monitors w
    where strpos(w.words, s.value) > 0 and not w.passive
      and (w.enabled and w.archived_at is null or w.id = any(%(monitors)s))
      and s.value = lower(coalesce(
        substring(w.target from '^([0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)$'),
        substring(w.target from '^(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:[^/@\s]*@)?(\[[^]]+\]|[^/:?#\s]+)')))) others
  where s.kind = 'host'
  union all
  select kind, value, 0, count(distinct id) from met group by kind, value
  union all
  select 'dependency', a.name, a.id, count(distinct l.monitor_id)
  from linked l join above a on a.id = l.depends_on group by a.name, a.id
)
select s.kind, s.value, s.monitor_ids, c.of::bigint as of
from shared s join counted c using (kind, value, source)
union all
select null, null, null, monitors from total
order by kind nulls last, value
