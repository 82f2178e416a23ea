-- name: beats
-- The last results of each monitor, for the bars. The window keeps a long-paused monitor from reading every chunk.
select b.*
from unnest(%(monitors)s::bigint[]) wanted (id)
join monitors m on m.id = wanted.id
cross join lateral (
  select r.monitor_id, r.scheduled_at, r.region, r.status::text as status, r.reason, r.message, r.latency_ms
  from results r
  where r.monitor_id = m.id
    and r.scheduled_at > now() - greatest(m.interval_s * 120, 86400) * interval '1 second'
  order by r.scheduled_at desc
  limit %(most)s * cardinality(m.regions)) b

-- name: uptime_day
-- Time-weighted uptime of a page of monitors over the last 24 hours.
select monitor_id, uptime from uptime(%(monitors)s::bigint[], now() - interval '24 hours', now())

-- name: uptimes
-- One monitor's uptime, weighted by time, over the four windows that people ask for.
select w.label, u.uptime, u.up_s, u.down_s, u.unmonitored_s
from (values (1, '24 h', interval '24 hours'), (2, '7 d', interval '7 days'), (3, '30 d', interval '30 days'),
  (4, '1 y', interval '365 days')) w (place, label, span)
left join lateral uptime(array[%(monitor)s]::bigint[], now() - w.span, now()) u on true
order by w.place

-- name: check_ratios
-- The share of good checks over the same windows, from roll-ups: hours up to 30 days, days for the year.
with h as (
  select bucket, up + degraded as good, up + degraded + down as judged
  from results_hourly
  where monitor_id = %(monitor)s and bucket > now() - interval '30 days'
), d as (
  select sum(up + degraded) as good, sum(up + degraded + down) as judged
  from results_daily
  where monitor_id = %(monitor)s and bucket > now() - interval '365 days'
)
select '24 h' as label, sum(good)::bigint as good, sum(judged)::bigint as judged from h
where bucket > now() - interval '24 hours'
union all
select '7 d', sum(good)::bigint, sum(judged)::bigint from h where bucket > now() - interval '7 days'
union all
select '30 d', sum(good)::bigint, sum(judged)::bigint from h
union all
select '1 y', good::bigint, judged::bigint from d

-- name: chart_raw
-- Latency of the good checks in buckets, and of the whole span (where `at` is null), from raw results.
select time_bucket(%(bucket_s)s * interval '1 second', scheduled_at, origin => %(origin)s::timestamptz) as at,
  count(*) as checks, count(*) filter (where status = 'down') as down,
  count(latency_ms) filter (where status in ('up', 'degraded')) as good,
  percentile_cont(0.5) within group (order by latency_ms) filter (where status in ('up', 'degraded')) as p50,
  percentile_cont(0.95) within group (order by latency_ms) filter (where status in ('up', 'degraded')) as p95,
  percentile_cont(0.99) within group (order by latency_ms) filter (where status in ('up', 'degraded')) as p99
from results
where monitor_id = %(monitor)s and scheduled_at >= %(origin)s and scheduled_at < %(ending)s
group by grouping sets ((1), ())
order by at nulls last

-- name: chart_hourly
-- The same from hourly roll-ups. Adds up only the bins in use and ranks them in one pass: histogram_sum() and
-- histogram_percentile() give the same numbers, but take four times as long over the 720 hours of a month.
with hours as (
  select time_bucket(%(bucket_s)s * interval '1 second', bucket, origin => %(origin)s::timestamptz) as at,
    checks, down, latency_count, latency_histogram
  from results_hourly
  where monitor_id = %(monitor)s and bucket >= %(origin)s and bucket < %(ending)s
), counted as (
  select at, sum(checks)::bigint as checks, sum(down)::bigint as down, sum(latency_count)::bigint as good
  from hours
  group by grouping sets ((at), ())
), bins as (
  select at, bin, sum(n)::double precision as n
  from hours, unnest(latency_histogram) with ordinality used (n, bin)
  where n > 0
  group by grouping sets ((at, bin), (bin))
), ranked as (
  select at, bin, sum(n) over (partition by at order by bin) as seen, sum(n) over (partition by at) as total
  from bins
), placed as (
  select at, min(bin) filter (where seen >= 0.5::double precision * total) as p50,
    min(bin) filter (where seen >= 0.95::double precision * total) as p95,
    min(bin) filter (where seen >= 0.99::double precision * total) as p99
  from ranked
  group by at
), percentiles as (
  select at, exp(-2 + 14.0::double precision / 240 * least(greatest(p50 - 1.5, 0), 240)) as p50,
    exp(-2 + 14.0::double precision / 240 * least(greatest(p95 - 1.5, 0), 240)) as p95,
    exp(-2 + 14.0::double precision / 240 * least(greatest(p99 - 1.5, 0), 240)) as p99
  from placed
)
select counted.at, coalesce(checks, 0) as checks, coalesce(down, 0) as down, coalesce(good, 0) as good, p50, p95, p99
from counted left join percentiles on percentiles.at is not distinct from counted.at
order by counted.at nulls last

-- name: chart_daily
-- The same from daily roll-ups, of which there are few.
select at, coalesce(checks, 0) as checks, coalesce(down, 0) as down, coalesce(good, 0) as good,
  histogram_percentile(bins, 0.5) as p50, histogram_percentile(bins, 0.95) as p95,
  histogram_percentile(bins, 0.99) as p99
from (
  select time_bucket(%(bucket_s)s * interval '1 second', bucket, origin => %(origin)s::timestamptz) as at,
    sum(checks)::bigint as checks, sum(down)::bigint as down, sum(latency_count)::bigint as good,
    histogram_sum(latency_histogram) as bins
  from results_daily
  where monitor_id = %(monitor)s and bucket >= %(origin)s and bucket < %(ending)s
  group by grouping sets ((1), ())) summed
order by at nulls last

-- name: spans
-- Which status it had when, within a window, to shade the chart.
with t as (
  (select at, to_status, id from transitions
    where monitor_id = %(monitor)s and at <= %(origin)s order by at desc, id desc limit 1)
  union all
  (select at, to_status, id from transitions
    where monitor_id = %(monitor)s and at > %(origin)s and at < %(ending)s order by at desc, id desc limit 500)
)
select greatest(at, %(origin)s::timestamptz) as starts,
  least(lead(at, 1, 'infinity') over (order by at, id), %(ending)s::timestamptz) as ends, to_status::text as status
from t
order by at, id

-- name: results
-- The newest results of a monitor, after the cursor: the last row's slot and region, or a slot alone.
select scheduled_at, region, status::text as status, reason, message, latency_ms, dns_ms, connect_ms, tls_ms,
  first_byte_ms, transfer_ms, started_at, recorded_at, evidence
from results
where monitor_id = %(monitor)s and scheduled_at <= %(before)s and scheduled_at > %(since)s
  and (scheduled_at < %(before)s or region > %(before_region)s::text)
order by scheduled_at desc, region
limit %(most)s
