-- What outages come of
-- The incidents of the last 90 days by reason: how many, of how many monitors, how long in all and at a time, how many of
-- them two or more monitors had within a minute, and the host that had most.
with recent as (
  select i.id, i.monitor_id, i.reason, i.started_at, i.duration,
    lower(substring(m.target from '^(?:[a-z][a-z0-9+.-]*://)?(\[[^]]+\]|[^/:?#\s]+)')) as host
  from history.incidents i
  join history.monitors m on m.id = i.monitor_id
  where i.started_at >= now() - interval '90 days'
), judged as (
  select r.*, exists (
      select from recent o
      where o.monitor_id <> r.monitor_id and o.reason = r.reason
        and o.started_at between r.started_at - interval '1 minute' and r.started_at + interval '1 minute') as in_company
  from recent r
)
select reason, count(*) as incidents, round(100.0 * count(*) / sum(count(*)) over (), 1) as percent,
  count(distinct monitor_id) as monitors,
  sum(duration) as down_in_all,
  percentile_cont(0.5) within group (order by duration) as median_duration,
  count(*) filter (where in_company) as in_company,
  mode() within group (order by host) as most_on_host
from judged
group by reason
order by incidents desc, reason;
