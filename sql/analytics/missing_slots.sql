-- Checks that were due and have no result
-- What Pinguin itself owes. Slots are computed from the versions of the monitors, so silence is a fact and not a guess. The
-- last two minutes are left out: they are still under way.
with asked as (select
  null::bigint as monitor,  -- its number; null: every monitor
  now() - interval '24 hours' as since,
  now() - interval '2 minutes' as until
)
select m.id, m.name, s.region, count(*) as due, count(*) filter (where r.monitor_id is null) as missing,
  max(s.scheduled_at) filter (where r.monitor_id is null) as last_missing
from history.expected_slots((select since from asked), (select until from asked), (select monitor from asked)) s
join history.monitors m on m.id = s.monitor_id
left join history.results r on r.monitor_id = s.monitor_id and r.scheduled_at = s.scheduled_at and r.region = s.region
  and r.scheduled_at >= (select since from asked) and r.scheduled_at < (select until from asked)
group by m.id, m.name, s.region
having count(*) filter (where r.monitor_id is null) > 0
order by missing desc, m.name, s.region;
