-- Results, their roll-ups and uptime of one monitor over any window.

-- name: raw
-- Every check, the newest first. The cursor is the last row's slot and region.
select scheduled_at as at, region, status::text as status, reason, message, latency_ms, dns_ms, connect_ms, tls_ms,
  first_byte_ms, transfer_ms, started_at, recorded_at, version, evidence
from results
where monitor_id = %(monitor)s and scheduled_at >= %(since)s and scheduled_at < %(until)s
  and (%(region)s::text is null or region = %(region)s)
  and (%(before)s::timestamptz is null or scheduled_at <= %(before)s
    and (scheduled_at < %(before)s or region > %(before_region)s::text))
order by scheduled_at desc, region
limit %(most)s

-- name: hourly
-- The same by hour, from roll-ups.
with page as (
  select * from results_hourly
  where monitor_id = %(monitor)s and bucket >= %(since)s and bucket < %(until)s
    and (%(region)s::text is null or region = %(region)s)
    and (%(before)s::timestamptz is null or bucket <= %(before)s
      and (bucket < %(before)s or region > %(before_region)s::text))
  order by bucket desc, region
  limit %(most)s
)
select bucket as at, region, checks::bigint as checks, up::bigint as up, degraded::bigint as degraded,
  down::bigint as down, unknown::bigint as unknown, latency_count::bigint as latency_count,
  latency_ms_sum / nullif(latency_count, 0)::double precision as latency_ms_mean, latency_ms_min, latency_ms_max,
  histogram_percentile(latency_histogram::bigint[], 0.5) as latency_ms_p50,
  histogram_percentile(latency_histogram::bigint[], 0.95) as latency_ms_p95,
  histogram_percentile(latency_histogram::bigint[], 0.99) as latency_ms_p99,
  dns_ms_sum / nullif(latency_count, 0)::double precision as dns_ms_mean,
  connect_ms_sum / nullif(latency_count, 0)::double precision as connect_ms_mean,
  tls_ms_sum / nullif(latency_count, 0)::double precision as tls_ms_mean,
  first_byte_ms_sum / nullif(latency_count, 0)::double precision as first_byte_ms_mean,
  transfer_ms_sum / nullif(latency_count, 0)::double precision as transfer_ms_mean
from page
order by bucket desc, region

-- name: daily
-- And by day.
with page as (
  select * from results_daily
  where monitor_id = %(monitor)s and bucket >= %(since)s and bucket < %(until)s
    and (%(region)s::text is null or region = %(region)s)
    and (%(before)s::timestamptz is null or bucket <= %(before)s
      and (bucket < %(before)s or region > %(before_region)s::text))
  order by bucket desc, region
  limit %(most)s
)
select bucket as at, region, checks::bigint as checks, up::bigint as up, degraded::bigint as degraded,
  down::bigint as down, unknown::bigint as unknown, latency_count::bigint as latency_count,
  latency_ms_sum / nullif(latency_count, 0)::double precision as latency_ms_mean, latency_ms_min, latency_ms_max,
  histogram_percentile(latency_histogram::bigint[], 0.5) as latency_ms_p50,
  histogram_percentile(latency_histogram::bigint[], 0.95) as latency_ms_p95,
  histogram_percentile(latency_histogram::bigint[], 0.99) as latency_ms_p99,
  dns_ms_sum / nullif(latency_count, 0)::double precision as dns_ms_mean,
  connect_ms_sum / nullif(latency_count, 0)::double precision as connect_ms_mean,
  tls_ms_sum / nullif(latency_count, 0)::double precision as tls_ms_mean,
  first_byte_ms_sum / nullif(latency_count, 0)::double precision as first_byte_ms_mean,
  transfer_ms_sum / nullif(latency_count, 0)::double precision as transfer_ms_mean
from page
order by bucket desc, region

-- name: uptime
-- Uptime as uptime() has it, and how long the monitor was what; maintenance that uptime leaves out is a status here.
-- Of a window that lies ahead there is nothing to say, and no range either.
select u.uptime, coalesce(u.up_s, 0) as up_s, coalesce(u.down_s, 0) as down_s,
  coalesce(u.unmonitored_s, 0) as unmonitored_s, (
    select coalesce(jsonb_object_agg(s.status, s.seconds), '{}')
    from status_seconds(array[%(monitor)s]::bigint[], least(%(since)s, now()), %(until)s) s) as seconds
from (values (1)) one (row)
left join uptime(array[%(monitor)s]::bigint[], least(%(since)s, now()), %(until)s) u on true
