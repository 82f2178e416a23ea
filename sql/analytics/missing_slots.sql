-- Slots of the last 24 hours that were due and have no result: what Pinguin itself owes. Slots are computed from the
-- versions of the monitors, so silence is a fact and not a guess. The last two minutes are left out: still under way.
select m.id, m.name, s.region, count(*) as due, count(*) filter (where r.monitor_id is null) as missing,
  max(s.scheduled_at) filter (where r.monitor_id is null) as last_missing
from expected_slots(now() - interval '24 hours', now() - interval '2 minutes') s
join monitors m on m.id = s.monitor_id
left join results r on r.monitor_id = s.monitor_id and r.scheduled_at = s.scheduled_at and r.region = s.region
group by m.id, m.name, s.region
having count(*) filter (where r.monitor_id is null) > 0
order by missing desc, m.name, s.region;
