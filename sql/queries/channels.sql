-- Channels and groups of them, and who is told of what. Senders have alerts.sql, the log has messages.sql.

-- name: listed
-- Every channel with what waits for it, its last message and the provider's last word.
select c.id, c.name, c.kind, c.options, c.enabled, c.is_default, c.subject_template, c.body_template, c.per_minute,
  to_char(c.quiet_from, 'HH24:MI') as quiet_from, to_char(c.quiet_to, 'HH24:MI') as quiet_to, c.quiet_zone,
  c.quiet_days, c.failures, c.failing_since, c.broken_at, c.broken_reason, c.updated_at, w.waiting, w.held,
  m.status as last_status, coalesce(m.ended_at, m.created_at) as last_at, a.answer as last_answer, m.due_at as again_at
from channels c
cross join lateral (
  select count(*)::integer as waiting, array_agg(distinct held) filter (where held is not null) as held
  from (select held from notifications
    where channel_id = c.id and status = 'waiting' and (due_at <= now() or held is not null)
    limit 10000) due) w
left join lateral (
  select id, status, created_at, ended_at, due_at from messages where channel_id = c.id
  order by created_at desc, id desc limit 1) m on true
left join lateral (select answer from attempts where message_id = m.id order by id desc limit 1) a on true
where c.archived_at is null and (%(id)s::bigint is null or c.id = %(id)s)
order by lower(c.name)

-- name: create
insert into channels (name, kind, options, is_default, subject_template, body_template, per_minute, quiet_from, quiet_to,
  quiet_zone, quiet_days)
values (%(name)s, %(kind)s, %(options)s, %(is_default)s, %(subject_template)s, %(body_template)s, %(per_minute)s,
  %(quiet_from)s::time, %(quiet_to)s::time, %(quiet_zone)s, %(quiet_days)s::smallint[])
returning id

-- name: update
-- Compare and set. What waits for another try is tried at once: somebody may have mended it.
with changed as (
  update channels set name = %(name)s, kind = %(kind)s, options = %(options)s, is_default = %(is_default)s,
    subject_template = %(subject_template)s, body_template = %(body_template)s, per_minute = %(per_minute)s,
    quiet_from = %(quiet_from)s::time, quiet_to = %(quiet_to)s::time, quiet_zone = %(quiet_zone)s,
    quiet_days = %(quiet_days)s::smallint[], updated_at = now()
  where id = %(id)s and updated_at = %(updated_at)s and archived_at is null
  returning id
), tried as (
  update messages set due_at = now() from changed where channel_id = changed.id and status = 'retry'
)
select id from changed

-- name: enable
-- On or off; what waits for a channel that is switched off is not told any more (a trigger).
update channels set enabled = %(enabled)s, updated_at = now()
where id = %(id)s and archived_at is null and enabled is distinct from %(enabled)s

-- name: retry
-- Try again at once, although the provider refused or a pause was to be made.
with changed as (
  update channels set broken_at = null, broken_reason = null, next_at = '-infinity'
  where id = %(id)s and archived_at is null
  returning id
), tried as (
  update messages set due_at = now() from changed where channel_id = changed.id and status = 'retry'
)
select id from changed

-- name: archive
-- Deleted for people: what it was told stays. Rules that name it go on without it.
with gone as (
  update channels set archived_at = now(), is_default = false where id = %(id)s and archived_at is null returning id
), left_groups as (
  update channel_groups set channel_ids = array_remove(channel_ids, gone.id) from gone where gone.id = any(channel_ids)
)
select id from gone

-- name: chosen_by
-- The monitors whose rules name the channel, by itself or by a group; `alone`: they name no other that is on.
select m.id, m.name, not exists (
    select from alert_channels(m.alerts) other where other.channel_id <> %(id)s) as alone
from monitors m
where m.archived_at is null and exists (
  select from jsonb_array_elements(case when jsonb_typeof(m.alerts -> 'steps') = 'array' then m.alerts -> 'steps' end) s
  where s.value -> 'channels' @> to_jsonb(%(id)s::bigint) or exists (
    select from channel_groups g where %(id)s = any(g.channel_ids) and s.value -> 'groups' @> to_jsonb(g.id)))
order by lower(m.name), m.id
limit 200

-- name: any
-- Whether anybody can be told of anything.
select exists (select from channels where enabled and archived_at is null)

-- name: groups
-- `mark` changes with every edit.
select id, name, channel_ids, xmin::text as mark from channel_groups order by lower(name)

-- name: create_group
insert into channel_groups (name, channel_ids) values (%(name)s, %(channels)s) returning id

-- name: update_group
-- Compare and set.
update channel_groups set name = %(name)s, channel_ids = %(channels)s
where id = %(id)s and xmin::text = %(mark)s
returning id

-- name: delete_group
delete from channel_groups where id = %(id)s

-- name: told
-- Who is told of a monitor's outages, step by step.
select a.step, a.after_s, c.id as channel_id, c.name as channel, c.broken_at is not null as broken,
  c.failing_since is not null as failing
from monitors m
cross join lateral alert_channels(m.alerts) a
join channels c on c.id = a.channel_id
where m.id = %(monitor)s
order by a.step, lower(c.name)

-- name: choices
-- What an alert rule may name: channels, groups and monitors, each with its id. Of monitors all, or the first few
-- hundred and those that are called like one of `naming`.
(select 'channel' as kind, id, name, is_default as marked, enabled from channels where archived_at is null)
union all
(select 'group', id, name, false, true from channel_groups)
union all
(select 'monitor', id, name, false, enabled from monitors
  where archived_at is null and (%(naming)s::bigint[] is null
    or id in (select id from monitors where archived_at is null order by name, id limit %(offered)s)
    or %(naming)s <> '{}' and name in (select name from monitors where id = any(%(naming)s))))
order by kind, name, id
