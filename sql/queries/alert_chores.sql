-- What the leader does about alerts: expiries and slow spells are found by looking, and old rows go.

-- name: tell_expiries
-- Of each certificate or registration that ends soon, the smallest of the monitor's days that it has come to, once.
-- What was not seen lately, or not since the last edit, may be another monitor's business by now.
insert into notifications (key, channel_id, monitor_id, kind, at, due_at, facts)
select concat_ws(':', e.kind, m.id, extract(epoch from e.expires_at)::bigint, chosen.day, c.channel_id), c.channel_id,
  m.id, e.kind, now(), now(), jsonb_build_object(
    'days_left', floor(extract(epoch from e.expires_at - now()) / 86400), 'expires_at', e.expires_at, 'subject', e.subject)
from monitor_expiries e
join monitors m on m.id = e.monitor_id and m.enabled and m.archived_at is null
join monitor_versions v on v.monitor_id = m.id and v.version = m.version
cross join lateral (
  select min(day::integer) as day
  from jsonb_array_elements_text(coalesce(m.alerts -> 'certificate_days', '[21, 14, 7, 3, 1]')) day
  where e.expires_at <= now() + day::integer * interval '1 day') chosen
cross join lateral alert_channels(m.alerts) c
where chosen.day is not null and c.step = 0 and e.expires_at < now() + interval '366 days'
  and e.seen_at > greatest(v.valid_from, now() - (2 * m.interval_s + 3 * 3600) * interval '1 second')
order by m.id, c.channel_id
on conflict (key) do nothing

-- name: keep_slow_spells
-- A spell begins when the percentile is above the limit, and ends when it is under 90 % of it: else it would flap. It
-- takes five good results to say anything. A spell of a rule that is not there any more ends as it is.
with rules as (
  select m.id, r.percentile, r.window_s, r.above_ms
  from monitors m
  cross join lateral (select
    coalesce((m.alerts -> 'slow_percentile' ->> 'percentile')::real, 95) as percentile,
    coalesce((m.alerts -> 'slow_percentile' ->> 'window_s')::integer, 900) as window_s,
    (m.alerts -> 'slow_percentile' ->> 'above_ms')::real as above_ms) r
  where m.enabled and m.archived_at is null and r.above_ms is not null
), measured as (
  select r.*, l.value_ms
  from rules r
  cross join lateral (
    select percentile_cont(r.percentile / 100) within group (order by latency_ms) as value_ms
    from results
    where monitor_id = r.id and scheduled_at > now() - r.window_s * interval '1 second' and scheduled_at <= now()
      and status in ('up', 'degraded') and latency_ms is not null
    having count(*) >= 5) l
), ended as (
  update slow_spells s set ended_at = now(), value_ms = coalesce(better.value_ms, s.value_ms)
  from slow_spells o
  left join rules r on r.id = o.monitor_id
    and (r.percentile, r.window_s, r.above_ms) = (o.percentile, o.window_s, o.above_ms)
  left join measured better on better.id = r.id and better.value_ms < 0.9 * r.above_ms
  where o.ended_at is null and s.id = o.id and (r.id is null or better.id is not null)
  returning s.monitor_id
), begun as (
  insert into slow_spells (monitor_id, percentile, window_s, above_ms, value_ms)
  select id, percentile, window_s, above_ms, value_ms from measured
  where value_ms > above_ms and id not in (select monitor_id from ended)
  order by id
  on conflict (monitor_id) where ended_at is null do nothing
  returning monitor_id
)
select (select count(*) from begun), (select count(*) from ended)

-- name: settle_channels
-- A channel that refused a message is no trouble any more once it delivered another, was changed or is gone. One that is
-- broken is, until it is mended (a trigger).
update pipeline_incidents p set ended_at = now()
where p.code = 'channel' and p.ended_at is null and not exists (
  select from channels c
  where c.name = p.region and c.archived_at is null and (c.broken_at is not null or c.failing_since is not null))

-- name: give_up
-- What has been due for a day in a channel that is off or broken would be told too late to be of use.
update notifications set status = 'failed', held = 'a day without a channel'
where id in (
  select n.id
  from notifications n join channels c on c.id = n.channel_id
  where n.status = 'waiting' and n.due_at < now() - interval '1 day'
    and (not c.enabled or c.archived_at is not null or c.broken_at is not null)
  order by n.id
  limit %(most)s
  for no key update of n skip locked)

-- name: forget_notifications
-- Ids grow with time: so the first are the oldest, and only they need be looked at.
delete from notifications
where id in (
  select id from (select * from notifications order by id limit %(most)s) oldest
  where created_at < now() - %(after)s::interval and status not in ('waiting', 'taken'))

-- name: forget_messages
-- Those of which no notification is left.
with gone as materialized (
  select id from (select * from messages order by id limit %(most)s) oldest
  where created_at < now() - %(after)s::interval and status in ('sent', 'failed')
    and not exists (select from notifications n where n.message_id = oldest.id)
), tries as (
  delete from attempts where message_id in (select id from gone)
)
delete from messages where id in (select id from gone)

-- name: forget_events
delete from incident_events
where id in (
  select id from (select * from incident_events order by id limit %(most)s) oldest where at < now() - %(after)s::interval)
