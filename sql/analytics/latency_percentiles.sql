-- Latency percentiles
-- Of every monitor, merged from the hourly histograms (within 3 %). Group by region or tag instead, if you like:
-- histograms can be added over anything.
with asked as (select
  null::bigint as monitor,  -- its number; null: every monitor
  now() - interval '30 days' as since,
  now() as until
)
select m.id, m.name,
  sum(h.latency_count) as checks,
  round((sum(h.latency_ms_sum) / nullif(sum(h.latency_count), 0))::numeric, 1) as mean_ms,
  round(histogram_percentile(histogram_sum(h.latency_histogram), 0.50)::numeric, 1) as p50_ms,
  round(histogram_percentile(histogram_sum(h.latency_histogram), 0.95)::numeric, 1) as p95_ms,
  round(histogram_percentile(histogram_sum(h.latency_histogram), 0.99)::numeric, 1) as p99_ms,
  max(h.max_ms) as max_ms
from history.results_hourly h
join history.monitors m on m.id = h.monitor_id
where h.bucket >= (select since from asked) and h.bucket < (select until from asked)
  and h.monitor_id between coalesce((select monitor from asked), 0) and coalesce((select monitor from asked), 1e18::bigint)
group by m.id, m.name
order by m.name, m.id;
