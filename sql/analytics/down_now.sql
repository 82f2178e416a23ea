-- What is down now
-- Each monitor that is down at this moment, since when, and why. What is in maintenance is shown so on the pages.
select m.id, m.name, s.since, s.lasted, s.shown_status, s.reason, s.message
from history.states s
join history.monitors m on m.id = s.monitor_id
where s.status = 'down'
order by s.since, m.id;
