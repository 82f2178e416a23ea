-- One monitor's history as its page shows it: charts, days, hours of the week, and downloads.

-- name: chart_raw
-- Latency of the good checks in buckets, and of the whole span (where `at` is null), from raw results. Phases are means
-- over the good checks, so that together they are no more than the mean latency.
select time_bucket(%(bucket_s)s * interval '1 second', scheduled_at, origin => %(origin)s::timestamptz) as at,
  count(*) as checks, count(*) filter (where fine) as fine, count(*) filter (where status = 'down') as down,
  count(latency_ms) filter (where fine) as good,
  percentile_cont(0.5) within group (order by latency_ms) filter (where fine) as p50,
  percentile_cont(0.95) within group (order by latency_ms) filter (where fine) as p95,
  percentile_cont(0.99) within group (order by latency_ms) filter (where fine) as p99,
  sum(dns_ms::double precision) filter (where fine) / nullif(count(latency_ms) filter (where fine), 0) as dns_ms,
  sum(connect_ms::double precision) filter (where fine) / nullif(count(latency_ms) filter (where fine), 0) as connect_ms,
  sum(tls_ms::double precision) filter (where fine) / nullif(count(latency_ms) filter (where fine), 0) as tls_ms,
  sum(first_byte_ms::double precision) filter (where fine) / nullif(count(latency_ms) filter (where fine), 0) as first_byte_ms,
  sum(transfer_ms::double precision) filter (where fine) / nullif(count(latency_ms) filter (where fine), 0) as transfer_ms
from (
  select scheduled_at, status, status in ('up', 'degraded') as fine, latency_ms, dns_ms, connect_ms, tls_ms,
    first_byte_ms, transfer_ms
  from results
  where monitor_id = %(monitor)s and scheduled_at >= %(origin)s and scheduled_at < %(ending)s) r
group by grouping sets ((1), ())
order by at nulls last

-- name: chart_hourly
-- Hourly roll-ups with the bucket that each belongs to, for `pinguin/store/rollups.py`: of the latencies, the bins in use
-- (the least and most say about where they are).
select
  time_bucket(%(bucket_s)s * interval '1 second', bucket, origin => %(origin)s::timestamptz) as at,
  checks::bigint, (up + degraded)::bigint, down::bigint, latency_count::bigint, dns_ms_sum, connect_ms_sum, tls_ms_sum,
  first_byte_ms_sum, transfer_ms_sum, used.lowest,
  case when latency_count > 0 then latency_histogram[used.lowest:used.highest]::text end
from results_hourly
cross join lateral (select
  least(greatest(floor((ln(latency_ms_min::double precision) + 2) * 240 / 14)::integer + 1, 1), 241) as lowest,
  greatest(least(floor((ln(latency_ms_max::double precision) + 2) * 240 / 14)::integer + 3, 242), 2) as highest) used
where monitor_id = %(monitor)s and bucket >= %(origin)s and bucket < %(ending)s

-- name: chart_daily
-- The same from daily roll-ups, and from hourly ones of the last days: the view would make those days of them, which
-- takes longer than to put them together.
with r as (
  select bucket, checks, up, degraded, down, latency_count, dns_ms_sum, connect_ms_sum, tls_ms_sum, first_byte_ms_sum,
    transfer_ms_sum, latency_ms_min, latency_ms_max, latency_histogram
  from results_daily
  where monitor_id = %(monitor)s and bucket >= %(origin)s and bucket < %(settled)s
  union all
  select bucket, checks, up, degraded, down, latency_count, dns_ms_sum, connect_ms_sum, tls_ms_sum, first_byte_ms_sum,
    transfer_ms_sum, latency_ms_min, latency_ms_max, latency_histogram
  from results_hourly
  where monitor_id = %(monitor)s and bucket >= %(settled)s and bucket < %(ending)s
)
select
  time_bucket(%(bucket_s)s * interval '1 second', bucket, origin => %(origin)s::timestamptz) as at,
  checks::bigint, (up + degraded)::bigint, down::bigint, latency_count::bigint, dns_ms_sum, connect_ms_sum, tls_ms_sum,
  first_byte_ms_sum, transfer_ms_sum, used.lowest,
  case when latency_count > 0 then latency_histogram[used.lowest:used.highest]::text end
from r
cross join lateral (select
  least(greatest(floor((ln(latency_ms_min::double precision) + 2) * 240 / 14)::integer + 1, 1), 241) as lowest,
  greatest(least(floor((ln(latency_ms_max::double precision) + 2) * 240 / 14)::integer + 3, 242), 2) as highest) used

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

-- name: account
-- Where the time of a window went, in seconds by uptime's policy; uptime() gives the same share. And its incidents.
select up_s / nullif(up_s + down_s, 0) as uptime, up_s, down_s, maintenance_s, other_s, incidents
from monitor_spent(%(monitor)s, array[%(since)s]::timestamptz[], array[%(until)s]::timestamptz[])
cross join (
  select count(*) as incidents
  from incidents
  where monitor_id = %(monitor)s and started_at < %(until)s and coalesce(ended_at, 'infinity') > %(since)s) counted

-- name: days
-- Uptime by calendar day of a zone. And each day's incidents, with the one that took most of it.
select day, uptime, up_s, down_s, incidents, incident_id, reason, message, seconds
from monitor_days(%(monitor)s, %(zone)s, %(days)s, %(now)s)

-- name: hours
-- Uptime by weekday (1: Monday) and hour of a zone, over its last days. In half hours, because zones are shifted by them.
with bounds as (
  select ((%(now)s::timestamptz at time zone %(zone)s)::date - (%(days)s::integer - 1))::timestamp
    at time zone %(zone)s as starts
), changes as (
  select t.to_status as status, greatest(t.at, b.starts) as starts,
    least(lead(t.at, 1, 'infinity') over (order by t.at, t.id), %(now)s::timestamptz) as ends
  from bounds b
  cross join lateral (
    (select at, id, to_status from transitions
      where monitor_id = %(monitor)s and at <= b.starts order by at desc, id desc limit 1)
    union all
    select at, id, to_status from transitions
    where monitor_id = %(monitor)s and at > b.starts and at < %(now)s) t
), kept as (
  select status = 'down' as down, range_agg(tstzrange(starts, ends)) - coalesce((
      select windows from bounds b, monitor_windows(array[%(monitor)s]::bigint[], b.starts, %(now)s::timestamptz)),
    '{}') as spans
  from changes
  where starts < ends and status in ('up', 'degraded', 'down')
  group by 1
), pieces as (
  select down, half at time zone %(zone)s as local, least(upper(span), half + interval '30 minutes')
    - greatest(lower(span), half) as length
  from kept
  cross join unnest(spans) span
  cross join lateral generate_series(date_trunc('hour', lower(span), %(zone)s), upper(span), interval '30 minutes') half
)
select extract(isodow from local)::integer as weekday, extract(hour from local)::integer as hour,
  coalesce(sum(extract(epoch from length)) filter (where not down), 0)::double precision as up_s,
  coalesce(sum(extract(epoch from length)) filter (where down), 0)::double precision as down_s
from pieces
where length > interval '0'
group by 1, 2
order by 1, 2

-- name: beats
-- Its last results since a time that the planner knows: it leaves out all other chunks. And which were in maintenance.
with planned as materialized (
  select range_agg(w.during) as windows
  from maintenance_windows w
  where w.during && tstzrange(%(since)s, greatest(%(since)s, now()), '[]')
    and (w.everything or %(monitor)s::bigint = any(w.monitor_ids)
      or not w.settled and exists (select from monitors o where o.id = %(monitor)s and o.tags && w.tags))
)
select monitor_id, scheduled_at, region, status::text as status, reason, message, latency_ms,
  coalesce(scheduled_at <@ (select windows from planned), false) as maintained
from results
where monitor_id = %(monitor)s and scheduled_at > %(since)s
order by scheduled_at desc
limit %(most)s

-- name: ratios
-- Checks of the windows of uptimes(): good ones (up, degraded) of the judged ones. Hours up to 30 days; for the rest of
-- the year days, which end at a midnight that the planner knows: it leaves out what would make the newest from hours.
with h as materialized (
  select bucket, up + degraded as good, up + degraded + down as judged
  from results_hourly
  where monitor_id = %(monitor)s and bucket > %(month)s
), d as materialized (
  select up + degraded as good, up + degraded + down as judged
  from results_daily
  where monitor_id = %(monitor)s and bucket > %(year)s and bucket < %(midnight)s
)
select '24 h' as label, sum(good)::bigint as good, sum(judged)::bigint as judged from h where bucket > %(day)s
union all
select '7 d', sum(good)::bigint, sum(judged)::bigint from h where bucket > %(week)s
union all
select '30 d', sum(good)::bigint, sum(judged)::bigint from h
union all
select '1 y', sum(good)::bigint, sum(judged)::bigint
from (select good, judged from d union all select good, judged from h where bucket >= %(midnight)s) y

-- name: incidents
-- Its newest incidents, and what the check saw that made each sure.
select i.id, i.monitor_id, m.name, m.type, m.target, m.tags, m.archived_at is not null as archived, i.started_at,
  i.confirmed_at, i.ended_at, i.reason, i.message, i.region, i.closed_by, i.acknowledged_at, i.acknowledged_by,
  i.snoozed_until, i.resolved_by, i.evidence
from incidents i join monitors m on m.id = i.monitor_id
where i.monitor_id = %(monitor)s
order by i.started_at desc, i.id desc
limit %(most)s

-- name: results
-- Raw results, newest first and by region; the cursor is the last row's slot and region, or a slot alone.
select scheduled_at, region, status::text as status, reason, message, latency_ms, dns_ms, connect_ms, tls_ms,
  first_byte_ms, transfer_ms, started_at, recorded_at, evidence
from results
where monitor_id = %(monitor)s and scheduled_at <= %(before)s and scheduled_at >= %(since)s
  and (scheduled_at < %(before)s or region > %(before_region)s::text)
  and (%(status)s::monitor_status is null or status = %(status)s::monitor_status)
order by scheduled_at desc, region
limit %(most)s
