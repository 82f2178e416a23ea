-- How jobs ran
-- Of each push monitor within the window: runs that ended, how many failed, how long they took, and when the last ping
-- came.
with asked as (select
  null::bigint as monitor,  -- its number; null: every monitor
  now() - interval '30 days' as since,
  now() as until
)
select m.id, m.name,
  count(*) filter (where p.kind in ('success', 'fail', 'exit')) as runs,
  count(*) filter (where p.kind = 'fail' or p.kind = 'exit' and p.exit_code <> 0) as failed,
  round((avg(p.duration_ms) / 1000)::numeric, 1) as mean_s,
  round((percentile_cont(0.95) within group (order by p.duration_ms) / 1000)::numeric, 1) as p95_s,
  round((max(p.duration_ms) / 1000)::numeric, 1) as longest_s,
  max(p.at) as last_ping
from history.monitors m
join history.pings p on p.monitor_id = m.id and p.at >= (select since from asked) and p.at < (select until from asked)
where m.id between coalesce((select monitor from asked), 0) and coalesce((select monitor from asked), 1e18::bigint)
group by m.id, m.name
order by m.name, m.id;
