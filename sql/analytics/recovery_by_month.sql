-- Time to recover and time between failures, by month and tag
-- MTTR and MTBF over the last year (months of UTC): how long an outage of a monitor with that tag lasted, and how long one
-- was up for each outage. Outages that ended otherwise (paused, deleted) tell nothing of recovery; they count as failures.
with months as (
  select month at time zone 'UTC' as month, (month + interval '1 month') at time zone 'UTC' as month_end
  from generate_series(date_trunc('month', now() at time zone 'UTC') - interval '11 months', now() at time zone 'UTC',
    interval '1 month') month
), tagged as (
  select distinct m.id, tag from history.monitors m, unnest(m.tags) tag
), watched as (
  select t.month, g.tag, sum(u.up_s) as up_s, sum(u.up_s + u.down_s) as watched_s
  from months t
  cross join lateral history.uptime(t.month, t.month_end) u
  join tagged g on g.id = u.monitor_id
  group by t.month, g.tag
), failed as (
  select t.month, g.tag, count(*) as failures,
    avg(i.duration) filter (where i.closed_by in ('recovery', 'hand')) as mean_time_to_recover,
    max(i.duration) as longest
  from months t
  join history.incidents i on i.started_at >= t.month and i.started_at < t.month_end
  join tagged g on g.id = i.monitor_id
  group by t.month, g.tag
)
select to_char(t.month at time zone 'UTC', 'YYYY-MM') as month, g.tag, g.monitors, coalesce(f.failures, 0) as failures,
  f.mean_time_to_recover,
  w.up_s / f.failures * interval '1 second' as mean_time_between_failures,
  f.longest
from months t
cross join (select tag, count(*) as monitors from tagged group by tag) g
left join watched w on w.month = t.month and w.tag = g.tag
left join failed f on f.month = t.month and f.tag = g.tag
where w.watched_s > 0 or f.failures > 0
order by t.month desc, g.tag;
