-- Regions compared
-- How the same monitor looks from each place: what share of the checks was good, how fast, and by how many milliseconds
-- its median is behind the fastest region's. Monitors that are checked from one place are left out.
with asked as (select
  null::bigint as monitor,  -- its number; null: every monitor
  now() - interval '7 days' as since,
  now() as until
), regions as (
  select monitor_id, region, sum(up + degraded) as good, sum(up + degraded + down) as judged,
    histogram_percentile(histogram_sum(latency_histogram), 0.50) as p50_ms,
    histogram_percentile(histogram_sum(latency_histogram), 0.95) as p95_ms
  from history.results_hourly
  where bucket >= (select since from asked) and bucket < (select until from asked)
    and monitor_id between coalesce((select monitor from asked), 0) and coalesce((select monitor from asked), 1e18::bigint)
  group by monitor_id, region
), compared as (
  select *, count(*) over w as places, p50_ms - min(p50_ms) over w as behind_ms
  from regions
  window w as (partition by monitor_id)
)
select m.id, m.name, c.region, c.judged as checks,
  round(100 * c.good / nullif(c.judged, 0), 2) as good_percent,
  round(c.p50_ms::numeric, 1) as p50_ms,
  round(c.p95_ms::numeric, 1) as p95_ms,
  round(c.behind_ms::numeric, 1) as behind_ms
from compared c
join history.monitors m on m.id = c.monitor_id
where c.places > 1
order by m.name, m.id, c.behind_ms nulls last, c.region;
