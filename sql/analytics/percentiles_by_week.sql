-- Percentiles by week
-- How the latency of every monitor went over the last quarter, by week from Monday (UTC), within 3 %.
with asked as (select
  null::bigint as monitor,  -- its number; null: every monitor
  now() - interval '91 days' as since,
  now() as until
), days as (
  select *, date_trunc('week', bucket at time zone 'UTC') as week
  from history.results_daily
  where bucket >= (select date_trunc('week', since, 'UTC') from asked) and bucket < (select until from asked)
    and monitor_id between coalesce((select monitor from asked), 0) and coalesce((select monitor from asked), 1e18::bigint)
)
select to_char(d.week, 'IYYY-"W"IW') as week, m.id, m.name, sum(d.latency_count) as checks,
  round(histogram_percentile(histogram_sum(d.latency_histogram), 0.50)::numeric, 1) as p50_ms,
  round(histogram_percentile(histogram_sum(d.latency_histogram), 0.95)::numeric, 1) as p95_ms,
  round(histogram_percentile(histogram_sum(d.latency_histogram), 0.99)::numeric, 1) as p99_ms
from days d
join history.monitors m on m.id = d.monitor_id
group by d.week, m.id, m.name
having sum(d.latency_count) > 0
order by m.name, m.id, d.week;
