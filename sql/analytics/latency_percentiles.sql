-- Latency percentiles of every monitor over the last 30 days, merged from the hourly histograms (within 3 %).
-- Change the interval, or group by region or tag instead: histograms can be added over anything.
select m.id, m.name,
  sum(h.latency_count) as checks,
  round((sum(h.latency_ms_sum) / nullif(sum(h.latency_count), 0))::numeric, 1) as mean_ms,
  round(histogram_percentile(histogram_sum(h.latency_histogram), 0.50)::numeric, 1) as p50_ms,
  round(histogram_percentile(histogram_sum(h.latency_histogram), 0.95)::numeric, 1) as p95_ms,
  round(histogram_percentile(histogram_sum(h.latency_histogram), 0.99)::numeric, 1) as p99_ms,
  max(h.latency_ms_max) as max_ms
from results_hourly h
join monitors m on m.id = h.monitor_id
where h.bucket >= now() - interval '30 days'
group by m.id, m.name
order by m.name, m.id;
