-- Incidents as people read and handle them. The recorder opens and closes them (recording.sql).

-- name: listed
-- Newest first. The cursor is the last row's start and id. Sent without preparing, so that what is not asked for
-- costs nothing.
select i.id, i.monitor_id, m.name, m.type, m.target, m.tags, m.archived_at is not null as archived, i.started_at,
  i.confirmed_at, i.ended_at, i.reason, i.message, i.region, i.closed_by, i.acknowledged_at, i.acknowledged_by,
  i.snoozed_until, i.resolved_by
from incidents i join monitors m on m.id = i.monitor_id
where (%(state)s::text is distinct from 'open' or i.ended_at is null)
  and (%(state)s::text is distinct from 'acknowledged' or i.ended_at is null and i.acknowledged_at is not null)
  and (%(state)s::text is distinct from 'ended' or i.ended_at is not null)
  and (%(monitor)s::bigint is null or i.monitor_id = %(monitor)s)
  and (%(reason)s::text is null or i.reason = %(reason)s)
  and (%(region)s::text is null or i.region = %(region)s)
  and (%(since)s::timestamptz is null or i.started_at >= %(since)s)
  and (%(until)s::timestamptz is null or i.started_at < %(until)s)
  and (%(tag)s::text is null or i.monitor_id in (select id from monitors where tags @> array[%(tag)s::text]))
  and (%(search)s::text is null or strpos(lower(i.message), lower(%(search)s)) > 0
    or i.monitor_id in (select id from monitors where strpos(lower(name || ' ' || target), lower(%(search)s)) > 0))
  and (%(before_id)s::bigint is null or (i.started_at, i.id) < (%(before)s::timestamptz, %(before_id)s::bigint))
order by i.started_at desc, i.id desc
limit %(most)s

-- name: counts
-- How many are open, and how many of them somebody takes care of.
select count(*) as open, count(acknowledged_at) as acknowledged from incidents where ended_at is null

-- name: get
-- One incident with its monitor, the outage before it, and how often that monitor was down in the 30 days before.
select i.id, i.monitor_id, m.name, m.type, m.target, m.tags, m.archived_at is not null as archived, i.started_at,
  i.confirmed_at, i.ended_at, i.reason, i.message, i.region, i.closed_by, i.acknowledged_at, i.acknowledged_by,
  i.snoozed_until, i.resolved_by, i.evidence, coalesce(i.postmortem, '') as postmortem, m.interval_s,
  m.failure_threshold, s.status::text as status_now, p.id as previous_id, p.started_at as previous_at,
  extract(epoch from p.ended_at - p.started_at)::double precision as previous_s, lately.outages as lately,
  lately.down_s as lately_s
from incidents i
join monitors m on m.id = i.monitor_id
join monitor_states s on s.monitor_id = i.monitor_id
left join lateral (
  select id, started_at, ended_at from incidents
  where monitor_id = i.monitor_id and (started_at, id) < (i.started_at, i.id)
  order by started_at desc, id desc limit 1) p on true
cross join lateral (
  select count(*) as outages, coalesce(sum(extract(epoch from ended_at - started_at)), 0)::double precision as down_s
  from incidents
  where monitor_id = i.monitor_id and id <> i.id and started_at < i.started_at
    and started_at > i.started_at - interval '30 days') lately
where i.id = %(id)s

-- name: events
-- The timeline: its beginning and its newest part, if it is long.
select id, at, kind, who, text, entries
from (
  select e.*, count(*) over () as entries, row_number() over (order by at, id) as place
  from incident_events e
  where incident_id = %(id)s) numbered
where place <= 20 or place > entries - 280
order by at, id

-- name: notifications
-- What was to be told of it, the newest if there are many, and the message that told it.
select * from (
  select n.id, n.channel_id, c.name as channel, c.kind as channel_kind, n.kind, n.step, n.at, n.due_at, n.status, n.held,
    n.told_at, n.message_id, g.status as message_status, coalesce(g.attempts, 0) as tries, g.due_at as again_at
  from notifications n
  join channels c on c.id = n.channel_id
  left join messages g on g.id = n.message_id
  where n.incident_id = %(id)s
  order by n.id desc
  limit 100) newest
order by coalesce(told_at, due_at), id

-- name: attempts
-- Every try of those messages, and what the provider answered.
select a.message_id, a.at, a.latency_ms, a.outcome, a.answer
from attempts a
where a.message_id in (
  select message_id from notifications where incident_id = %(id)s and message_id is not null order by id desc limit 100)
order by a.id desc
limit 300

-- name: beats
-- Some thirty results around each of two moments, so many of them before it, and which were in maintenance. The times
-- are those that the planner knows: of years of results it opens the days in question.
with m as (select cardinality(regions) as regions from monitors where id = %(monitor)s),
planned as materialized (
  select range_agg(w.during) as windows
  from maintenance_windows w
  where (w.during && tstzrange(%(since_0)s, %(until_0)s) or w.during && tstzrange(%(since_1)s, %(until_1)s))
    and (w.everything or %(monitor)s::bigint = any(w.monitor_ids)
      or not w.settled and exists (select from monitors o where o.id = %(monitor)s and o.tags && w.tags))
)
select r.place, r.monitor_id, r.scheduled_at, r.region, r.status::text as status, r.reason, r.message, r.latency_ms,
  coalesce(r.scheduled_at <@ (select windows from planned), false) as maintained
from (
  (select 0 as place, * from results
    where monitor_id = %(monitor)s and scheduled_at > %(since_0)s and scheduled_at < %(moment_0)s
    order by scheduled_at desc limit %(before_0)s * (select regions from m))
  union all
  (select 0, * from results
    where monitor_id = %(monitor)s and scheduled_at >= %(moment_0)s and scheduled_at < %(until_0)s
    order by scheduled_at limit %(after_0)s * (select regions from m))
  union all
  (select 1, * from results
    where monitor_id = %(monitor)s and scheduled_at > %(since_1)s and scheduled_at < %(moment_1)s
    order by scheduled_at desc limit %(before_1)s * (select regions from m))
  union all
  (select 1, * from results
    where monitor_id = %(monitor)s and scheduled_at >= %(moment_1)s and scheduled_at < %(until_1)s
    order by scheduled_at limit %(after_1)s * (select regions from m))) r
order by r.scheduled_at desc

-- name: votes
-- What each region found by the time at which the outage was sure: its newest result until then.
select distinct on (region) region, scheduled_at, status::text as status, reason, message, latency_ms
from results
where monitor_id = %(monitor)s and scheduled_at >= %(started_at)s and scheduled_at <= %(confirmed_at)s
order by region, scheduled_at desc

-- name: together
-- Other monitors' outages that began within five minutes of this one, the nearest first. Names are looked up of those
-- alone: the planner guesses them to be many, and would read all monitors.
select i.id, i.monitor_id, m.name, i.started_at, i.ended_at, i.reason, i.message, i.in_all
from (
  select i.*, abs(extract(epoch from i.started_at - o.started_at)) as apart, count(*) over () as in_all
  from incidents o
  join incidents i on i.started_at between o.started_at - interval '5 minutes' and o.started_at + interval '5 minutes'
    and i.monitor_id <> o.monitor_id
  where o.id = %(id)s
  order by apart, i.id
  limit %(most)s) i
cross join lateral (select name from monitors where id = i.monitor_id limit 1) m
order by i.apart, i.id

-- name: mark
-- Changes whenever something on an incident's page does. Events are only ever added; notifications change.
select concat_ws('.', i.ended_at is not null, extract(epoch from i.acknowledged_at), extract(epoch from i.snoozed_until)),
  concat_ws('.', (select max(id) from incident_events where incident_id = i.id), n.newest, n.told, n.states,
    case when i.ended_at is null or i.ended_at > now() - interval '1 hour' then extract(epoch from s.last_slot) end)
from incidents i
join monitor_states s on s.monitor_id = i.monitor_id
cross join lateral (
  select max(id) as newest, count(told_at) as told, sum(hashtext(concat(id, status, held))::bigint) as states
  from notifications where incident_id = i.id) n
where i.id = %(id)s

-- name: lock_states
-- The states first, in the order of monitors, as recorders do: they close incidents one after the other.
select s.monitor_id from monitor_states s
where s.monitor_id in (select monitor_id from incidents where id = any(%(ids)s))
order by s.monitor_id
for no key update of s

-- name: acknowledge
-- Of these, those that are open and that nobody has acknowledged; locked in the order of ids.
with wanted as (
  select id from incidents where id = any(%(ids)s) and ended_at is null and acknowledged_at is null
  order by id
  for no key update
), done as (
  update incidents i set acknowledged_at = now(), acknowledged_by = %(who)s from wanted where i.id = wanted.id
  returning i.id
), noted as (
  insert into incident_events (incident_id, at, kind, who, text)
  select id, now(), 'acknowledged', %(who)s, %(note)s from done
)
select id from done order by id

-- name: hold_back
-- Reminders and later steps end here. What a sender is just looking at is left to it: it looks for the acknowledgement
-- itself, whenever something is due.
update notifications set status = 'cancelled', held = 'acknowledged'
where id in (
  select id from notifications
  where incident_id = any(%(ids)s) and status = 'waiting' and (kind = 'reminder' or kind = 'down' and step > 0)
  order by id
  for no key update skip locked)

-- name: take_back
-- Nobody takes care of it any more; the id of the event that says so.
with done as (
  update incidents set acknowledged_at = null, acknowledged_by = null
  where id = %(id)s and ended_at is null and acknowledged_at is not null
  returning id
)
insert into incident_events (incident_id, at, kind, who, text)
select id, now(), 'unacknowledged', %(who)s, %(note)s from done
returning id

-- name: go_on
-- The escalation goes on where it was.
update notifications set status = 'waiting', held = null, due_at = greatest(due_at, now())
where incident_id = %(id)s and kind = 'down' and status = 'cancelled' and held = 'acknowledged'

-- name: remind_again
-- Who was told of it is reminded again, beginning one interval from now.
insert into notifications (key, channel_id, monitor_id, incident_id, kind, step, at, due_at)
select 'reminder:' || i.id || ':' || n.channel_id || ':again' || %(event)s::bigint, n.channel_id, i.monitor_id, i.id,
  'reminder', min(n.step), i.started_at, now() + min((m.alerts ->> 'remind_every_s')::integer) * interval '1 second'
from incidents i
join monitors m on m.id = i.monitor_id
join notifications n on n.incident_id = i.id and n.kind in ('down', 'reminder') and n.status = 'sent'
where i.id = %(id)s and (m.alerts ->> 'remind_every_s')::integer > 0
  and not exists (
    select from notifications w
    where w.incident_id = i.id and w.channel_id = n.channel_id and w.kind = 'reminder' and w.status in ('waiting', 'taken'))
group by i.id, n.channel_id, i.monitor_id

-- name: snooze
-- Until then nothing is told of it; null wakes it. A sender looks at what it holds back every few seconds.
with done as (
  update incidents set snoozed_until = %(until)s
  where id = %(id)s and ended_at is null and (%(until)s::timestamptz is not null or snoozed_until is not null)
  returning id
)
insert into incident_events (incident_id, at, kind, who, text)
select id, now(), 'snoozed', %(who)s, coalesce(to_char(%(until)s::timestamptz at time zone 'UTC',
  'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '') from done
returning id

-- name: forget_wakening
-- Another snooze, or none: its end is another.
delete from notifications
where id in (
  select id from notifications
  where incident_id = %(id)s and status = 'waiting' and kind = 'reminder' and facts ? 'snoozed_until'
  for update skip locked)

-- name: wake_up
-- Who was told of it hears when a snooze ends that it is down still, whether there are reminders or not.
insert into notifications (key, channel_id, monitor_id, incident_id, kind, step, at, due_at, facts)
select 'reminder:' || i.id || ':' || n.channel_id || ':snooze' || %(event)s::bigint, n.channel_id, i.monitor_id, i.id,
  'reminder', min(n.step), i.started_at, i.snoozed_until, jsonb_build_object('snoozed_until', i.snoozed_until)
from incidents i
join notifications n on n.incident_id = i.id and n.kind in ('down', 'reminder') and n.status in ('taken', 'sent')
where i.id = %(id)s and i.acknowledged_at is null and i.snoozed_until > now()
  and not exists (
    select from notifications w
    where w.incident_id = i.id and w.channel_id = n.channel_id and w.kind in ('down', 'reminder')
      and w.status = 'waiting' and w.due_at <= i.snoozed_until)
group by i.id, n.channel_id

-- name: comment
insert into incident_events (incident_id, at, kind, who, text)
select id, clock_timestamp(), 'commented', %(who)s, %(words)s from incidents where id = %(id)s
returning id

-- name: lock_state
-- The state first, as recorders do: whoever closes an incident holds its monitor's state.
select i.ended_at is null as open
from incidents i join monitor_states s on s.monitor_id = i.monitor_id
where i.id = %(id)s
for no key update of s

-- name: resolve
-- Closes it; its monitor waits for enough results to be sure of anything. The state is locked: its time is read after
-- that, so that no transition lies before the last one. Slots up to now count no more: a check that was under way saw
-- what somebody has just declared over.
with closed as (
  update incidents i
  set ended_at = greatest(clock_timestamp(), s.since, i.started_at), closed_by = 'hand', resolved_by = %(who)s
  from monitor_states s
  where i.id = %(id)s and i.ended_at is null and s.monitor_id = i.monitor_id
  returning i.id, i.monitor_id, i.ended_at, s.status as status_before, s.incident_id is not distinct from i.id as current
), noted as (
  insert into transitions (monitor_id, at, confirmed_at, from_status, to_status, message, incident_id)
  select monitor_id, ended_at, ended_at, status_before, 'pending', 'resolved by hand', id from closed where current
), begun as (
  update monitor_states s
  set status = 'pending', since = c.ended_at, last_slot = greatest(s.last_slot, c.ended_at), failures = 0,
    successes = 0, unknowns = 0, streak_since = null, reason = null, message = null, latency_ms = null,
    incident_id = null
  from closed c
  where s.monitor_id = c.monitor_id and c.current
)
select monitor_id from closed

-- name: say_why
-- The trigger noted that it was resolved; this is the comment.
update incident_events set text = %(words)s where incident_id = %(id)s and kind = 'resolved'

-- name: write_postmortem
-- Only over the text that was edited.
update incidents set postmortem = nullif(%(words)s, '')
where id = %(id)s and coalesce(postmortem, '') = %(seen)s
returning id
