-- The longest outages
-- The twenty longest that began within the window, those that last still counted to this moment.
with asked as (select
  null::bigint as monitor,  -- its number; null: every monitor
  now() - interval '90 days' as since,
  now() as until
)
select i.id, m.name, i.started_at, i.ended_at, i.duration, i.reason, i.message, coalesce(i.closed_by, 'open') as state
from history.incidents i
join history.monitors m on m.id = i.monitor_id
where i.started_at >= (select since from asked) and i.started_at < (select until from asked)
  and i.monitor_id between coalesce((select monitor from asked), 0) and coalesce((select monitor from asked), 1e18::bigint)
order by i.duration desc, i.id
limit 20;
