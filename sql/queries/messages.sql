-- The log: what was told to whom, what was answered, and what waits.

-- name: messages
-- Messages, newest first, of one channel or of all. The cursor is the last row's time and id.
select m.id, m.channel_id, c.name as channel, c.archived_at is not null as archived, m.status, m.attempts, m.unsure,
  m.created_at, m.ended_at, m.due_at, m.subject, i.items
from messages m
join channels c on c.id = m.channel_id
cross join lateral (select count(*)::integer as items from notifications where message_id = m.id) i
where (%(channel)s::bigint is null or m.channel_id = %(channel)s)
  and (%(before_id)s::bigint is null or (m.created_at, m.id) < (%(before)s::timestamptz, %(before_id)s::bigint))
order by m.created_at desc, m.id desc
limit %(most)s

-- name: items
-- What each of these messages was about, up to `most` of each.
select n.*
from unnest(%(messages)s::bigint[]) wanted (id)
cross join lateral (
  select n.message_id, n.kind, n.at, n.monitor_id, m.name as monitor, m.archived_at is not null as archived,
    n.incident_id, coalesce(p.message, '') as text
  from notifications n
  left join monitors m on m.id = n.monitor_id
  left join pipeline_incidents p on p.id = n.pipeline_id
  where n.message_id = wanted.id
  order by n.id
  limit %(most)s) n

-- name: attempts
-- Every try to deliver these messages.
select message_id, at, latency_ms, outcome, answer from attempts where message_id = any(%(messages)s) order by id

-- name: waiting
-- What is to be told and is not yet, of one channel or of all, the next first; and why, as far as that is known.
select n.kind, n.at, n.due_at, coalesce(
    case when c.broken_at is not null then 'broken' end, n.held, case
      when n.due_at > now() then null
      when exists (select from messages m where m.channel_id = c.id and m.status = 'retry') then 'behind'
      when c.next_at > now() then 'limit' end) as held, n.channel_id, c.name as channel, n.monitor_id, m.name as monitor,
  n.due_at <= now() as due
from notifications n
join channels c on c.id = n.channel_id and c.archived_at is null
left join monitors m on m.id = n.monitor_id
where n.status = 'waiting' and (%(channel)s::bigint is null or n.channel_id = %(channel)s)
order by n.due_at, n.id
limit %(most)s

-- name: notified
-- The newest notifications of a monitor, whatever became of them.
select n.kind, n.at, n.due_at, n.status, n.held, n.told_at, n.channel_id, c.name as channel,
  c.archived_at is not null as archived, a.answer
from notifications n
join channels c on c.id = n.channel_id
left join lateral (select answer from attempts where message_id = n.message_id order by id desc limit 1) a on true
where n.monitor_id = %(monitor)s
order by n.id desc
limit %(most)s
