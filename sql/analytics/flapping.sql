-- What flaps
-- Monitors that changed between good (up, degraded) and down at least four times within the window, and how long they
-- were down at a time: a threshold that is too low, or a target that is really shaky.
with asked as (select
  now() - interval '168 hours' as since,
  now() as until
), changes as (
  select monitor_id, at, to_status, from_status = 'down' as mended,
    at - lag(at) over (partition by monitor_id order by at, id) as after
  from history.transitions
  where at < (select until from asked) and (from_status = 'down') <> (to_status = 'down')
    and from_status in ('up', 'degraded', 'down') and to_status in ('up', 'degraded', 'down')
)
select m.id, m.name, count(*) as changes, count(*) filter (where not mended) as went_down,
  percentile_cont(0.5) within group (order by after) filter (where mended) as median_outage,
  max(c.at) as last_change
from changes c
join history.monitors m on m.id = c.monitor_id
where c.at >= (select since from asked)
group by m.id, m.name
having count(*) >= 4
order by changes desc, m.name, m.id;
