-- What monitors that failed at about the same time have in common.

-- name: failures
-- When each of these outages began, and why; and the first of them.
select monitor_id, started_at, reason from incidents where id = any(%(incidents)s) order by started_at, id limit %(most)s

-- name: shared
-- Traits that at least two of these monitors have, which of them do, and how many monitors do in all. Hosts are read
-- from what is watched; addresses, resolvers and authorities are those that checks saw last before `at`, where there
-- are not too many monitors to look.
with wanted as (
  select id, name, tags, regions, interval_s,
    coalesce(
      substring(target from '^([0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)$'),
      substring(target from '^(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:[^/@\s]*@)?(\[[^]]+\]|[^/:?#\s]+)')) as host
  from monitors
  where enabled and archived_at is null or id = any(%(monitors)s)
), seen as (
  select w.id, r.evidence
  from wanted w
  cross join lateral (
    select evidence from results
    where monitor_id = w.id and scheduled_at <= %(at)s
      and scheduled_at > %(at)s - greatest(3 * w.interval_s, 900) * interval '1 second'
      and evidence ?| '{address,resolver,certificate}'
    order by scheduled_at desc limit 1) r
  where (select count(*) from wanted) <= %(most)s
), linked as (
  select d.monitor_id, d.depends_on from monitor_dependencies d
  union all
  select distinct depends_on, depends_on from monitor_dependencies
), traits as (
  select id, 'tag' as kind, tag as value, 0::bigint as source from wanted, unnest(tags) tag
  union all
  select id, 'region', region, 0 from wanted, unnest(regions) region
  union all
  select id, 'host', lower(host), 0 from wanted
  union all
  select id, 'address', coalesce(substring(address from '^\[([^]]+)\]'), substring(address from '^[^:]*:[^:]*:.*$'),
    split_part(address, ':', 1)), 0 from seen, lateral (select evidence ->> 'address' as address) a
  union all
  select id, 'resolver', evidence ->> 'resolver', 0 from seen
  union all
  select id, 'issuer', evidence -> 'certificate' ->> 'issuer', 0 from seen
  union all
  select l.monitor_id, 'dependency', w.name, w.id from linked l join wanted w on w.id = l.depends_on
)
select kind, value, array_agg(distinct id) filter (where id = any(%(monitors)s)) as monitor_ids,
  count(distinct id) as of
from traits
where value <> ''
group by kind, value, source
having count(distinct id) filter (where id = any(%(monitors)s)) > 1
order by kind, value

-- name: monitors
select count(*) from monitors where enabled and archived_at is null or id = any(%(monitors)s)
