-- Before and after a date
-- Did the change help? Compares the time from `since` on with the same length of time before it: uptime, failed checks and
-- latency of each monitor. Choose whole hours: latency and checks are of the hours that begin within.
with asked as (select
  null::bigint as monitor,  -- its number; null: every monitor
  date_trunc('hour', now()) - interval '168 hours' as since,  -- the moment of the change
  date_trunc('hour', now()) as until
), sides (place, side, starts, ends) as (
  select 1, 'before', since - (until - since), since from asked
  union all
  select 2, 'after', since, until from asked
), checks as (
  select s.side, r.monitor_id, sum(r.up + r.degraded + r.down) as judged, sum(r.down) as failed,
    histogram_sum(r.latency_histogram) as histogram
  from sides s
  join history.results_hourly r on r.bucket >= s.starts and r.bucket < s.ends
  where r.monitor_id between coalesce((select monitor from asked), 0) and coalesce((select monitor from asked), 1e18::bigint)
  group by s.side, r.monitor_id
)
select m.id, m.name, s.side,
  round((100 * u.uptime)::numeric, 4) as uptime_percent,
  c.judged as checks,
  round(100 * c.failed / nullif(c.judged, 0), 2) as failed_percent,
  round(histogram_percentile(c.histogram, 0.50)::numeric, 1) as p50_ms,
  round(histogram_percentile(c.histogram, 0.95)::numeric, 1) as p95_ms
from sides s
cross join lateral history.uptime(s.starts, s.ends, (select monitor from asked)) u
join history.monitors m on m.id = u.monitor_id
left join checks c on c.monitor_id = u.monitor_id and c.side = s.side
where u.up_s + u.down_s > 0
order by m.name, m.id, s.place;
