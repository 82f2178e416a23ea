-- What is done to many monitors at once, and taken back. Each is one transaction, and one statement a step.

-- name: lock_pushes
-- Locks are taken in the order that all others keep: what pings wait for, then states, each by id.
select monitor_id from push_states where monitor_id = any(%(ids)s) order by monitor_id for update

-- name: lock_states
select monitor_id from monitor_states where monitor_id = any(%(ids)s) order by monitor_id for update

-- name: forget_undos
-- What can be taken back no longer is no record of anything: the audit log is.
delete from undos where expires_at < now() - interval '1 day'

-- name: begin_undo
insert into undos (user_id, act, expires_at)
values (%(user)s, %(act)s, now() + %(seconds)s * interval '1 second')
returning id

-- name: remember
-- The columns that are about to be written, as they are.
insert into undo_items (undo_id, monitor_id, before, found_at, left_at)
select %(undo)s, m.id, (
  select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(m) - '{options,words}'::text[]) where key = any(%(columns)s)),
  m.updated_at, now()
from monitors m
where m.id = any(%(ids)s)

-- name: enable
-- Those that it changes.
update monitors set enabled = %(enabled)s
where id = any(%(ids)s) and archived_at is null and enabled is distinct from %(enabled)s
returning id, name

-- name: changing
-- Those that pausing or resuming would change.
select id from monitors where id = any(%(ids)s) and enabled is distinct from %(enabled)s order by id

-- name: archive
update monitors set archived_at = now() where id = any(%(ids)s) and archived_at is null
returning id, name, type, target, interval_s, tags, enabled

-- name: edited
-- What each would be after the edit: null leaves a column as it is. Monitors that are pinged have no interval, timeout
-- or regions of their own to change.
with wanted as (
  select m.id, m.name, m.passive,
    jsonb_build_object('interval_s', m.interval_s, 'timeout_s', m.timeout_s, 'regions', m.regions, 'tags', m.tags,
      'failure_threshold', m.failure_threshold, 'recovery_threshold', m.recovery_threshold, 'alerts', m.alerts) as before,
    jsonb_build_object(
      'interval_s', case when m.passive then m.interval_s else coalesce(%(interval_s)s::integer, m.interval_s) end,
      'timeout_s', case when m.passive then m.timeout_s else coalesce(%(timeout_s)s::real, m.timeout_s) end,
      'regions', case when m.passive then m.regions else coalesce(%(regions)s::text[], m.regions) end,
      'tags', array(
        select tag from unnest(m.tags) with ordinality old (tag, n) where tag <> all(%(remove)s::text[]) order by n)
        || array(select tag from unnest(%(add)s::text[]) with ordinality new (tag, n) where tag <> all(m.tags) order by n),
      'failure_threshold', coalesce(%(failure_threshold)s::integer, m.failure_threshold),
      'recovery_threshold', coalesce(%(recovery_threshold)s::integer, m.recovery_threshold),
      'alerts', case when %(alerts)s then m.alerts - 'steps' || coalesce(%(steps)s::jsonb, '{}') else m.alerts end) as after
  from monitors m
  where m.id = any(%(ids)s)
)
select id, name, passive, before, after from wanted where before <> after order by id

-- name: edit
update monitors m set interval_s = w.interval_s, timeout_s = w.timeout_s, regions = w.regions, tags = w.tags,
  failure_threshold = w.failure_threshold, recovery_threshold = w.recovery_threshold, alerts = w.alerts
from jsonb_to_recordset(%(rows)s) w (id bigint, interval_s integer, timeout_s real, regions text[], tags text[],
  failure_threshold integer, recovery_threshold integer, alerts jsonb)
where m.id = w.id and m.archived_at is null
returning m.id

-- name: open_undo
-- The newest that somebody can still take back.
select u.id, u.act, u.expires_at, (select count(*) from undo_items i where i.undo_id = u.id) as monitors,
  (select m.name from undo_items i join monitors m on m.id = i.monitor_id where i.undo_id = u.id
    order by i.monitor_id limit 1) as name
from undos u
where u.user_id = %(user)s and u.used_at is null and u.expires_at > now()
order by u.id desc
limit 1

-- name: use_undo
-- Once, and in time.
update undos set used_at = now()
where id = %(undo)s and user_id = %(user)s and used_at is null and expires_at > now()
returning act

-- name: undoing
-- Those of its monitors that nobody has changed since: the columns as they were, and as they are now.
select m.id, m.name, i.before, (select jsonb_object_agg(key, whole.now -> key) from jsonb_object_keys(i.before) key) as changed
from undo_items i
join monitors m on m.id = i.monitor_id and m.updated_at = i.left_at
cross join lateral (select to_jsonb(m) - '{options,words}'::text[] as now offset 0) whole
where i.undo_id = %(undo)s
order by m.id
for no key update of m

-- name: undo_size
select count(*) from undo_items where undo_id = %(undo)s

-- name: put_back
-- Every column as it was. A statement of its own: as parts of one, many rows would be joined without an index.
update monitors m set enabled = r.enabled, archived_at = r.archived_at, interval_s = r.interval_s,
  timeout_s = r.timeout_s, regions = r.regions, tags = r.tags, failure_threshold = r.failure_threshold,
  recovery_threshold = r.recovery_threshold, alerts = r.alerts
from undo_items i
join monitors old on old.id = i.monitor_id
cross join lateral jsonb_populate_record(old, i.before) r
where i.undo_id = %(undo)s and i.monitor_id = any(%(ids)s) and m.id = i.monitor_id

-- name: hand_back
-- What changed them before can be taken back too: they are as that left them. Those that somebody changed since have
-- another updated_at, whatever stands here.
update undo_items older set left_at = now()
from undos u, undo_items i
where u.used_at is null and u.expires_at > now() and older.undo_id = u.id
  and i.undo_id = %(undo)s and i.monitor_id = older.monitor_id and older.left_at = i.found_at
