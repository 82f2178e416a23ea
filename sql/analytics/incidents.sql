-- The incidents of the last 30 days with their cause and the time to recover, and how each compares with the monitor's
-- mean time to recover (MTTR) over the same days.
select i.id, m.name, i.started_at, i.ended_at, i.reason, i.message, i.region,
  coalesce(i.ended_at, now()) - i.started_at as duration,
  i.confirmed_at - i.started_at as time_to_confirm,
  avg(i.ended_at - i.started_at) filter (where i.closed_by = 'recovery') over (partition by i.monitor_id)
    as monitor_mean_time_to_recover,
  case when i.ended_at is null then 'open' else i.closed_by end as state
from incidents i
join monitors m on m.id = i.monitor_id
where coalesce(i.ended_at, now()) >= now() - interval '30 days'
order by i.started_at desc, i.id desc;
