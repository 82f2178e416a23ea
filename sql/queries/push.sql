-- Push monitors: pings, what they change, and the silence between them.

-- name: lock_addressed
-- The states of those who are pinged, in the order of ids, before anything else is read: an edit waits, or is seen.
select monitor_id from push_states
where monitor_id in (
  select monitor_id from push_tokens where token = any(%(tokens)s)
  union all
  select id from monitors where passive and archived_at is null and options ->> 'slug' = any(%(slugs)s))
order by monitor_id
for no key update

-- name: lock_due
-- What there is to judge, or only to plan. One that is being pinged just now is looked at the next time.
select monitor_id from push_states
where monitor_id in (
  select monitor_id from push_states
  where look_at <= %(until)s::timestamptz or version is null and look_at is not null
  order by version is not null, look_at
  limit %(most)s)
order by monitor_id
for no key update skip locked

-- name: due
-- Asked every second, and answered from the index. Silence is known up to the moment at which somebody said last that
-- pings can be taken; where nobody ever did, of no time at all.
with known as (select since, least(seen_at, now() - %(margin)s::interval) as until from push_watch)
select (select since from known), (select until from known),
  coalesce((select min(look_at) from push_states) <= (select until from known), false)
    or exists (select from push_states where version is null and look_at is not null)

-- name: watches
-- The locked states, and the monitors as they are now that the locks are held.
select p.monitor_id, m.version as monitor_version, m.enabled and m.archived_at is null as active, m.options,
  (select token from push_tokens t where t.monitor_id = m.id) as token, clock_timestamp() as now, p.version, p.base_at,
  p.changed_at, p.expected_at, p.deadline, p.started_at, p.last_at, p.last_ping, p.last_start, p.result_at, p.runs
from push_states p join monitors m on m.id = p.monitor_id
where p.monitor_id = any(%(monitors)s) and m.passive

-- name: written
-- Which of these pings are there already. They waited, or their first writer got no answer.
select id from pings where monitor_id = any(%(monitors)s) and at > %(since)s and id = any(%(ids)s)

-- name: write
-- The rows are locked. One statement: each costs a round trip, and somebody waits for the answer.
with added as (
  insert into pings (monitor_id, at, id, kind, exit_code, run_id, duration_ms, method, remote, user_agent, body)
  select monitor_id, at, id, kind, exit_code, run_id, duration_ms, method, remote, user_agent, body
  from json_to_recordset(%(pings)s::json) as p (
    monitor_id bigint, at timestamptz, id uuid, kind text, exit_code smallint, run_id uuid, duration_ms double precision,
    method text, remote text, user_agent text, body text)
)
update push_states p set
  version = n.version, base_at = n.base_at, changed_at = n.changed_at, expected_at = n.expected_at,
  deadline = n.deadline, started_at = n.started_at, last_at = n.last_at, last_ping = n.last_ping,
  last_start = n.last_start, result_at = n.result_at, runs = n.runs, look_at = n.look_at
from json_to_recordset(%(watches)s::json) as n (
  monitor_id bigint, version integer, base_at timestamptz, changed_at timestamptz, expected_at timestamptz,
  deadline timestamptz, started_at timestamptz, last_at timestamptz, last_ping timestamptz, last_start timestamptz,
  result_at timestamptz, runs jsonb, look_at timestamptz)
where p.monitor_id = n.monitor_id

-- name: open
-- A process that takes pings says that it has been able to for so long. Several of them, or a quick restart, are one
-- span; after a longer break a new one begins.
insert into push_watch as w (since, seen_at) values (now() - %(able_for)s::interval, now())
on conflict (only_row) do update set
  since = case when w.seen_at + %(patience)s::interval >= excluded.since
    then least(w.since, excluded.since) else excluded.since end,
  seen_at = greatest(w.seen_at, excluded.seen_at)

-- name: open_now
-- Whether anybody takes pings: null where there is nobody to ping, else how long ago it was said last.
select case when exists (select from push_states where look_at is not null)
  then coalesce(now() - (select seen_at from push_watch), interval '1 day') end

-- name: address
select token, created_at from push_tokens where monitor_id = %(monitor)s

-- name: rotate
-- The old address is no more.
update push_tokens t set token = gen_random_uuid(), created_at = now()
from monitors m
where m.id = t.monitor_id and t.monitor_id = %(monitor)s and m.passive and m.archived_at is null
returning t.token

-- name: watch
-- What one monitor's page shows of it.
select version, base_at, changed_at, expected_at, deadline, started_at, last_at, last_ping, last_start, result_at, runs
from push_states where monitor_id = %(monitor)s

-- name: log
-- The newest pings; the cursor is the last row's time. Of a body, as much as a list shows.
select at, kind, exit_code, run_id, duration_ms, method, remote, user_agent, left(body, %(excerpt)s) as body,
  octet_length(body) as size
from pings
where monitor_id = %(monitor)s and at < %(before)s
order by at desc
limit %(most)s

-- name: body
select body from pings where monitor_id = %(monitor)s and at = %(at)s

-- name: by_slug
-- How many monitors have each of these; no row where none has it.
select options ->> 'slug', count(*) from monitors
where passive and archived_at is null and options ->> 'slug' = any(%(slugs)s)
group by 1

-- name: lock_slugs
-- Two jobs may come with the same new slug at once: the second finds the first's monitor.
lock table push_tokens in share row exclusive mode

-- name: how_many
select count(*) from monitors where passive and archived_at is null
