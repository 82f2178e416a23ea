-- Which certificates and domains end first
-- As each monitor saw them last, the nearest end first.
select m.id, m.name, e.kind, e.subject, e.expires_at, floor(extract(epoch from e.remaining) / 86400)::integer as days_left,
  e.seen_at
from history.expiries e
join history.monitors m on m.id = e.monitor_id
where m.deleted_at is null
order by e.expires_at, m.id;
