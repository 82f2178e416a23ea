-- Senders: a channel's due notifications become a message, which is sent and marked. The steps are functions of
-- migration 007, one statement and one transaction each.

-- name: reclaim
select reclaim_message(%(sender)s, %(lease_s)s * interval '1 second')

-- name: gather
select gather_message(%(sender)s, %(lease_s)s * interval '1 second')

-- name: message
select m.id, m.key::text, m.channel_id, m.attempts, m.unsure, m.created_at, c.name, c.kind, c.options,
  c.subject_template, c.body_template, c.failures, now()
from messages m join channels c on c.id = m.channel_id
where m.id = %(message)s

-- name: items
-- What a message says. The end of what begins in it is not said again, nor what a flapping monitor did. Evidence is for
-- messages that have room for it.
select n.kind, n.at, n.facts, n.monitor_id, coalesce(m.name, 'Pinguin') as monitor, coalesce(m.type, '') as type,
  coalesce(m.target, '') as target, coalesce(m.tags, '{}') as tags, n.incident_id, i.started_at, i.confirmed_at,
  i.ended_at, i.closed_by, i.resolved_by, i.reason, i.message, i.region,
  case when few then i.evidence end as evidence, s.status::text as status, s.since, s.reason as status_reason,
  s.message as status_message, s.latency_ms, earlier.started_at as last_started_at, earlier.ended_at as last_ended_at,
  p.message as pipeline_message, p.ended_at as pipeline_ended_at, p.region as pipeline_region, said.who as note_by,
  said.text as note,
  case when few then (
    select jsonb_agg(jsonb_build_object('region', r.region, 'status', r.status, 'message', r.message) order by r.region)
    from results r where r.monitor_id = i.monitor_id and r.scheduled_at = i.confirmed_at) end as votes
from notifications n
cross join (select count(*) <= 20 as few from notifications where message_id = %(message)s) size
left join monitors m on m.id = n.monitor_id
left join monitor_states s on s.monitor_id = n.monitor_id
left join incidents i on i.id = n.incident_id
left join pipeline_incidents p on p.id = n.pipeline_id
left join lateral (
  select b.started_at, b.ended_at from incidents b
  where b.monitor_id = i.monitor_id and b.started_at < i.started_at
  order by b.started_at desc limit 1) earlier on few
left join lateral (
  select e.who, e.text from incident_events e
  where e.incident_id = i.id and e.kind in ('acknowledged', 'resolved') and e.text <> ''
  order by e.at desc, e.id desc limit 1) said on few
where n.message_id = %(message)s
  and not exists (select from notifications b where b.id = n.answers and b.message_id = n.message_id)
  and not (n.kind = 'down' and n.held is not distinct from 'flapping')
order by n.at, n.id

-- name: delivered
select mark_delivered(%(message)s, %(sender)s, %(answer)s, %(latency_ms)s::real, %(subject)s)

-- name: failed
select mark_failed(%(message)s, %(sender)s, %(answer)s, %(latency_ms)s::real, %(unsure)s,
  %(again_in_s)s * interval '1 second', %(subject)s)

-- name: refused
select mark_refused(%(message)s, %(sender)s, %(answer)s, %(latency_ms)s::real, %(subject)s)

-- name: lock_channel
select lock_channel_of(%(message)s)

-- name: third_in_a_row
-- Whether the two messages to its channel before this one were refused too, since people last changed the channel.
select count(*) = 2
from (
  select b.id, b.created_at > c.updated_at as since
  from messages mine
  join channels c on c.id = mine.channel_id
  join messages b on b.channel_id = mine.channel_id
  where mine.id = %(message)s and (b.created_at, b.id) < (mine.created_at, mine.id)
  order by b.created_at desc, b.id desc
  limit 2) before
where since and exists (select from attempts a where a.message_id = before.id and a.outcome = 'refused')

-- name: refused_alone
-- This message alone is given up. That is raised like a broken channel, for somebody has not heard of something; it is
-- over with the next message that is delivered (`settle_channels`).
with mine as (
  update messages set status = 'failed', ended_at = now(), subject = %(subject)s
  where id = %(message)s and claimed_by = %(sender)s and status = 'sending'
  returning id, channel_id
), tried as (
  insert into attempts (message_id, latency_ms, outcome, answer)
  select id, %(latency_ms)s::real, 'refused', %(answer)s from mine
), untold as (
  update notifications n set status = 'failed', held = 'refused' from mine where n.message_id = mine.id
), failing as (
  update channels c set failures = c.failures + 1, failing_since = coalesce(c.failing_since, now())
  from mine where c.id = mine.channel_id
), raised as (
  insert into pipeline_incidents (code, region, message)
  select 'channel', c.name, format('channel "%%s" refused a message: %%s', c.name, left(%(answer)s, 500))
  from mine join channels c on c.id = mine.channel_id
  on conflict (code, region) where ended_at is null do update set message = excluded.message
)
select exists (select from mine)

-- name: wait_too
-- The channel is broken after all: what it was to tell in the two messages before waits too, until it is mended.
update notifications n set status = 'waiting', held = 'broken', message_id = null
where n.status = 'failed' and n.held = 'refused' and n.created_at > now() - interval '1 day' and n.message_id in (
  select b.id
  from messages mine join messages b on b.channel_id = mine.channel_id
  where mine.id = %(message)s and (b.created_at, b.id) < (mine.created_at, mine.id)
  order by b.created_at desc, b.id desc
  limit 2)
