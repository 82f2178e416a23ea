-- The twenty slowest monitors of the day
-- By the 95th percentile of the last 24 hours, and in which phase their time goes.
with day as (
  select monitor_id, sum(latency_count) as checks, histogram_sum(latency_histogram) as histogram,
    sum(dns_ms_sum) as dns, sum(connect_ms_sum) as connect, sum(tls_ms_sum) as tls,
    sum(first_byte_ms_sum) as first_byte, sum(transfer_ms_sum) as transfer
  from history.results_hourly
  where bucket >= now() - interval '24 hours'
  group by monitor_id
)
select m.id, m.name, m.target, d.checks,
  round(histogram_percentile(d.histogram, 0.95)::numeric, 1) as p95_ms,
  round((d.dns / d.checks)::numeric, 1) as mean_dns_ms,
  round((d.connect / d.checks)::numeric, 1) as mean_connect_ms,
  round((d.tls / d.checks)::numeric, 1) as mean_tls_ms,
  round((d.first_byte / d.checks)::numeric, 1) as mean_first_byte_ms,
  round((d.transfer / d.checks)::numeric, 1) as mean_transfer_ms
from day d
join history.monitors m on m.id = d.monitor_id
where d.checks > 0 and m.deleted_at is null
order by p95_ms desc nulls last, m.id
limit 20;
