-- Uptime within a window
-- Weighted by time. The policy: up and degraded are up, down is down, all else (unknown, pending, paused, maintenance) is
-- not monitored time and counts as neither. The share of good checks, of whole hours, stands beside it for comparison only.
with asked as (select
  null::bigint as monitor,  -- its number; null: every monitor
  now() - interval '720 hours' as since,
  now() as until
), checks as (
  select monitor_id, sum(up + degraded) as good, sum(up + degraded + down) as judged
  from history.results_hourly
  where bucket >= (select since from asked) and bucket < (select until from asked)
    and monitor_id between coalesce((select monitor from asked), 0) and coalesce((select monitor from asked), 1e18::bigint)
  group by monitor_id
)
select m.id, m.name,
  round((100 * u.uptime)::numeric, 4) as uptime_percent,
  make_interval(secs => u.up_s) as up,
  make_interval(secs => u.down_s) as down,
  make_interval(secs => u.unmonitored_s) as unmonitored,
  round(100 * c.good / nullif(c.judged, 0), 4) as good_checks_percent
from history.uptime((select since from asked), (select until from asked), (select monitor from asked)) u
join history.monitors m on m.id = u.monitor_id
left join checks c on c.monitor_id = u.monitor_id
where u.up_s + u.down_s > 0 or m.deleted_at is null
order by u.uptime nulls last, m.name, m.id;
