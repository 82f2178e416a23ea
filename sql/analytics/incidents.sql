-- Incidents and the time to recover
-- The incidents of the window with their cause, and beside each the monitor's mean time to recover (MTTR) over the same
-- time.
with asked as (select
  null::bigint as monitor,  -- its number; null: every monitor
  now() - interval '30 days' as since,
  now() as until
)
select i.id, m.name, i.started_at, i.ended_at, i.reason, i.message, i.region, i.duration,
  i.confirmed_at - i.started_at as time_to_confirm,
  avg(i.ended_at - i.started_at) filter (where i.closed_by = 'recovery') over (partition by i.monitor_id)
    as monitor_mean_time_to_recover,
  coalesce(i.closed_by, 'open') as state
from history.incidents i
join history.monitors m on m.id = i.monitor_id
where coalesce(i.ended_at, now()) >= (select since from asked) and i.started_at < (select until from asked)
  and i.monitor_id between coalesce((select monitor from asked), 0) and coalesce((select monitor from asked), 1e18::bigint)
order by i.started_at desc, i.id desc;
