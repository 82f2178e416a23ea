-- Mean time to recover (MTTR) and mean time between failures (MTBF) by month (UTC) and tag over the last year: how long
-- an outage of a monitor with that tag lasted, and how long one was up for each outage. Outages that ended otherwise
-- (paused, deleted) tell nothing of recovery; they count as failures.
with months as (
  select month at time zone 'UTC' as month, (month + interval '1 month') at time zone 'UTC' as month_end
  from generate_series(date_trunc('month', now() at time zone 'UTC') - interval '11 months', now() at time zone 'UTC',
    interval '1 month') month
), tagged as (
  select tag, array_agg(id) as monitors from monitors, unnest(tags) tag group by tag
)
select to_char(t.month at time zone 'UTC', 'YYYY-MM') as month, g.tag, cardinality(g.monitors) as monitors, i.failures,
  i.mean_time_to_recover,
  u.up_s / nullif(i.failures, 0) * interval '1 second' as mean_time_between_failures,
  i.longest
from months t
cross join tagged g
cross join lateral (
  select count(*) as failures,
    avg(ended_at - started_at) filter (where closed_by in ('recovery', 'hand')) as mean_time_to_recover,
    max(coalesce(ended_at, now()) - started_at) as longest
  from incidents
  where monitor_id = any(g.monitors) and started_at >= t.month and started_at < t.month_end) i
cross join lateral (
  select sum(up_s) as up_s, sum(up_s + down_s) as watched_s from uptime(g.monitors, t.month, t.month_end)) u
where u.watched_s > 0 or i.failures > 0
order by t.month desc, g.tag;
