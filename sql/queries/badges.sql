-- Badges: what they show, and the links by which anybody may see them.

-- name: facts
-- What the badges of a monitor show; uptime over so many days.
select m.name, shown_status(s.status, maintenance_until(m.id, now()) is not null)::text as status, s.latency_ms,
  (select uptime from uptime(array[m.id], now() - make_interval(days => %(days)s), now())) as uptime,
  (select extract(epoch from e.expires_at - now()) / 86400 from monitor_expiries e
    where e.monitor_id = m.id and e.kind = 'certificate')::double precision as certificate_days
from monitors m
join monitor_states s on s.monitor_id = m.id
where m.id = %(monitor)s and m.archived_at is null

-- name: is_open
-- Whether this key opens the badges of this monitor.
select exists (select from badge_links where monitor_id = %(monitor)s and key = %(key)s) as found

-- name: link
select key, created_at from badge_links where monitor_id = %(monitor)s

-- name: open
-- The link that is there stays: it stands in other people's pages.
insert into badge_links (monitor_id, key) values (%(monitor)s, %(key)s) on conflict (monitor_id) do nothing
returning key

-- name: close
delete from badge_links where monitor_id = %(monitor)s returning key
