-- Checks by type
-- What is checked how: monitors, checks, failures and latency of each check type over the last 30 days.
with asked as (select
  now() - interval '30 days' as since,
  now() as until
)
select m.type, count(distinct m.id) as monitors, sum(d.checks) as checks, sum(d.down) as failed, sum(d.unknown) as unknown,
  round(100 * sum(d.down) / nullif(sum(d.up + d.degraded + d.down), 0), 2) as failed_percent,
  round(histogram_percentile(histogram_sum(d.latency_histogram), 0.50)::numeric, 1) as p50_ms,
  round(histogram_percentile(histogram_sum(d.latency_histogram), 0.95)::numeric, 1) as p95_ms
from history.results_daily d
join history.monitors m on m.id = d.monitor_id
where d.bucket >= (select date_trunc('day', since, 'UTC') from asked) and d.bucket < (select until from asked)
group by m.type
order by checks desc, m.type;
