-- Uptime over a day, a week, a month and a year
-- Weighted by time; unknown, pending, paused and maintenance count as neither up nor down. The share of good checks stands
-- beside it, for comparison only: of whole hours within the day, else of whole days (UTC), the oldest of them in part.
with windows (name, length) as (
  -- In hours: a day of the session's time zone may have 23 or 25.
  values ('24 hours', interval '24 hours'), ('7 days', '168 hours'), ('30 days', '720 hours'), ('1 year', '8760 hours')
), checks as (
  select w.name, r.monitor_id, sum(r.up + r.degraded) as good, sum(r.up + r.degraded + r.down) as judged
  from windows w
  join history.results_hourly r on r.bucket > now() - w.length
  where w.name = '24 hours'
  group by w.name, r.monitor_id
  union all
  select w.name, r.monitor_id, sum(r.up + r.degraded), sum(r.up + r.degraded + r.down)
  from windows w
  join history.results_daily r on r.bucket >= date_trunc('day', now() - w.length, 'UTC')
  where w.name <> '24 hours'
  group by w.name, r.monitor_id
)
select m.id, m.name, w.name as "window",
  round((100 * u.uptime)::numeric, 4) as uptime_percent,
  make_interval(secs => u.down_s) as down,
  make_interval(secs => u.unmonitored_s) as unmonitored,
  round(100 * c.good / nullif(c.judged, 0), 4) as good_checks_percent
from windows w
cross join lateral history.uptime(now() - w.length, now()) u
join history.monitors m on m.id = u.monitor_id and m.deleted_at is null
left join checks c on c.monitor_id = u.monitor_id and c.name = w.name
order by m.name, m.id, w.length;
