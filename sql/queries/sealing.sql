-- What is kept sealed, to be sealed anew: at the start, after an upgrade or a change of the key.

-- name: monitors
select id, type, options from monitors where id > %(after)s order by id limit %(most)s

-- name: versions
select monitor_id, version, type, options from monitor_versions
where (monitor_id, version) > (%(after)s, %(after_version)s) order by monitor_id, version limit %(most)s

-- name: channels
select id, kind, options from channels where id > %(after)s order by id limit %(most)s

-- name: second_factors
select id, totp_secret from users where totp_secret is not null order by id

-- name: lock
-- Nobody edits what is read here until it is written, and two that start at the same time come one after the other.
lock table monitors, channels in share row exclusive mode

-- name: quiet
-- The same secret under another seal is no edit: no new version, no state that begins anew. Undone before the commit, so
-- nobody else ever sees the tables without their triggers.
alter table monitors disable trigger before_update;
alter table channels disable trigger before_update;
alter table channels disable trigger after_update

-- name: loud
alter table monitors enable trigger before_update;
alter table channels enable trigger before_update;
alter table channels enable trigger after_update

-- name: set_monitors
update monitors m set options = n.options
from jsonb_to_recordset(%(rows)s) as n (id bigint, options jsonb) where m.id = n.id

-- name: set_versions
update monitor_versions v set options = n.options
from jsonb_to_recordset(%(rows)s) as n (id bigint, version integer, options jsonb)
where v.monitor_id = n.id and v.version = n.version

-- name: set_channels
update channels c set options = n.options
from jsonb_to_recordset(%(rows)s) as n (id bigint, options jsonb) where c.id = n.id

-- name: set_second_factor
-- Compare and set: somebody may turn it off meanwhile.
update users set totp_secret = %(new)s where id = %(id)s and totp_secret = %(old)s
