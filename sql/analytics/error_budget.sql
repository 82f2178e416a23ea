-- Error budget: how much of the allowed downtime is used up
-- A target of 99.9 % allows 43 minutes in 30 days that were monitored throughout; time that was not monitored allows
-- none. More than 100 % used: the target is missed.
with asked as (select
  null::bigint as monitor,  -- its number; null: every monitor
  99.9 as target_percent,
  now() - interval '720 hours' as since,
  now() as until
)
select m.id, m.name,
  round((100 * u.uptime)::numeric, 4) as uptime_percent,
  round((b.allowed_s / 60)::numeric, 1) as allowed_minutes,
  round((u.down_s / 60)::numeric, 1) as used_minutes,
  round((100 * u.down_s / nullif(b.allowed_s, 0))::numeric, 1) as used_percent,
  u.down_s <= b.allowed_s as kept
from asked a
cross join lateral history.uptime(a.since, a.until, a.monitor) u
cross join lateral (select (u.up_s + u.down_s) * (1 - a.target_percent / 100) as allowed_s) b
join history.monitors m on m.id = u.monitor_id
where u.up_s + u.down_s > 0
order by used_percent desc nulls last, m.name, m.id;
