-- Availability by month
-- Of every monitor by calendar month (UTC) over the last year, weighted by time, with the minutes down and how many
-- incidents began: a service level report.
with asked as (select
  null::bigint as monitor  -- its number; null: every monitor
), months as (
  select month at time zone 'UTC' as month, (month + interval '1 month') at time zone 'UTC' as month_end
  from generate_series(date_trunc('month', now() at time zone 'UTC') - interval '11 months', now() at time zone 'UTC',
    interval '1 month') month
)
select to_char(t.month at time zone 'UTC', 'YYYY-MM') as month, m.id, m.name,
  round((100 * u.uptime)::numeric, 4) as availability_percent,
  round((u.down_s / 60)::numeric, 1) as down_minutes,
  round((u.unmonitored_s / 60)::numeric, 1) as unmonitored_minutes,
  (select count(*) from history.incidents i
   where i.monitor_id = m.id and i.started_at >= t.month and i.started_at < t.month_end) as incidents
from months t
cross join lateral history.uptime(t.month, t.month_end, (select monitor from asked)) u
join history.monitors m on m.id = u.monitor_id
where u.up_s + u.down_s + u.unmonitored_s > 0
order by t.month desc, m.name, m.id;
