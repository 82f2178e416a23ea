-- The worst hours of the week
-- At which weekday and hour (UTC) checks failed most often over the last four weeks, and how slow the others were then.
with asked as (select
  null::bigint as monitor,  -- its number; null: every monitor
  now() - interval '672 hours' as since,
  now() as until
), hours as (
  select *, bucket at time zone 'UTC' as hour
  from history.results_hourly
  where bucket >= (select since from asked) and bucket < (select until from asked)
    and monitor_id between coalesce((select monitor from asked), 0) and coalesce((select monitor from asked), 1e18::bigint)
)
select to_char(min(hour), 'Dy') as weekday, extract(hour from hour)::integer as hour,
  sum(up + degraded + down) as checks, sum(down) as failed,
  round(100 * sum(down) / nullif(sum(up + degraded + down), 0), 2) as failed_percent,
  round(histogram_percentile(histogram_sum(latency_histogram), 0.95)::numeric, 1) as p95_ms
from hours
group by extract(isodow from hour), extract(hour from hour)
order by failed_percent desc nulls last, p95_ms desc nulls last, extract(isodow from min(hours.hour)), 2
limit 24;
