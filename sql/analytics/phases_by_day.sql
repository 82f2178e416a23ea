-- Where the time goes, day by day
-- Mean milliseconds of each phase of a good check by day (UTC): a name server that became slow shows here, and so does a
-- server that thinks longer. Phases that a check type does not have are 0 or null.
with asked as (select
  null::bigint as monitor,  -- its number; null: every monitor
  now() - interval '30 days' as since,
  now() as until
)
select (d.bucket at time zone 'UTC')::date as day, m.id, m.name, sum(d.latency_count) as checks,
  round((sum(d.latency_ms_sum) / sum(d.latency_count))::numeric, 1) as mean_ms,
  round((sum(d.dns_ms_sum) / sum(d.latency_count))::numeric, 1) as dns_ms,
  round((sum(d.connect_ms_sum) / sum(d.latency_count))::numeric, 1) as connect_ms,
  round((sum(d.tls_ms_sum) / sum(d.latency_count))::numeric, 1) as tls_ms,
  round((sum(d.first_byte_ms_sum) / sum(d.latency_count))::numeric, 1) as first_byte_ms,
  round((sum(d.transfer_ms_sum) / sum(d.latency_count))::numeric, 1) as transfer_ms
from history.results_daily d
join history.monitors m on m.id = d.monitor_id
where d.bucket >= (select date_trunc('day', since, 'UTC') from asked) and d.bucket < (select until from asked)
  and d.monitor_id between coalesce((select monitor from asked), 0) and coalesce((select monitor from asked), 1e18::bigint)
group by d.bucket, m.id, m.name
having sum(d.latency_count) > 0
order by m.name, m.id, d.bucket;
