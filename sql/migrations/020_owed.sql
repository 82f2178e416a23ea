-- What is owed: of a version that has just begun, no check before the scheduler can know of it; of an outage that was
-- snoozed, a word when that ends; and of many messages within a minute, fewer.

-- Once it is written, a version reaches the schedule within five seconds: what it was due before is no fact about us.
create or replace function expected_slots(window_start timestamptz, window_end timestamptz)
returns table (monitor_id bigint, region text, scheduled_at timestamptz, version integer)
language sql stable parallel safe as $$
  select v.monitor_id, region, to_timestamp(slot), v.version
  from monitor_versions v
  cross join lateral (select
    slot_phase(v.monitor_id, v.interval_s) as phase,
    extract(epoch from greatest(v.valid_from + interval '5 seconds', window_start)) as earliest,
    extract(epoch from least(coalesce(v.valid_to, window_end), window_end)) as latest) b
  cross join lateral generate_series(
    (ceil((b.earliest - b.phase) / v.interval_s) * v.interval_s + b.phase)::bigint,
    (ceil(b.latest) - 1)::bigint,
    v.interval_s) slot
  cross join unnest(v.regions) region
  where v.active and v.valid_from < window_end and coalesce(v.valid_to, 'infinity') > window_start
$$;
comment on function expected_slots is
  'Every slot that was due in [window_start, window_end), by the versions then valid, from 5 s after each began: without a result, a missing one is a fact.';
comment on function history.expected_slots is
  'Every check that was due within [since, until), by the versions then valid, from 5 s after each began: one without a row in history.results is missing.';

-- As before, but for the reminder at a snooze's end, which comes where there are no others, too.
create or replace function alert_verdicts(wanted channels, most integer)
returns table (id bigint, verdict text, until timestamptz, why text)
language plpgsql as $$
declare
  quiet constant timestamptz := quiet_until(wanted, now());
  soon constant timestamptz := now() + interval '15 seconds';
begin
  return query
  with due as materialized (
    select n.*, m.alerts, m.archived_at is not null as deleted, i.started_at, i.confirmed_at, i.ended_at, i.closed_by,
      i.acknowledged_at, i.snoozed_until, s.status as status_now, told.status as told, told.due_at as told_due,
      told.held as told_held,
      coalesce((m.alerts #>> array['steps', n.step::text, 'after_s'])::integer, 0) * interval '1 second' as after
    from notifications n
    left join monitors m on m.id = n.monitor_id
    left join monitor_states s on s.monitor_id = n.monitor_id
    left join incidents i on i.id = n.incident_id
    left join notifications told on told.id = n.answers
    where n.channel_id = wanted.id and n.status = 'waiting' and n.due_at <= now()
    order by n.due_at, n.id
    limit most
    for no key update of n skip locked
  ), flaps as materialized (
    select d.monitor_id, exists (
        select from notifications f
        where f.monitor_id = d.monitor_id and f.channel_id = wanted.id and f.kind = 'stable' and f.status = 'waiting') as open,
      (select count(*) from incidents i where i.monitor_id = d.monitor_id and i.started_at > now() - r.span) as outages,
      greatest(
        (select max(greatest(i.confirmed_at, i.ended_at)) from incidents i where i.monitor_id = d.monitor_id
          and i.started_at > now() - interval '7 days'), now() - interval '1 day') + r.calm as calm_at,
      r.outages as allowed
    from (select distinct on (due.monitor_id) due.monitor_id, due.alerts from due where due.monitor_id is not null) d
    cross join lateral flap_rules(d.alerts) r
  ), judged as (
    select due.id, due.kind,
      case
        when deleted then 'deleted'
        when answers is not null and told in ('cancelled', 'failed') then 'untold'
        when due.kind in ('down', 'reminder') and due.ended_at is not null and (due.kind = 'reminder' or due.step > 0
          or closed_by not in ('recovery', 'hand') or held = 'snoozed'
          or after > interval '0' and due.ended_at < due.confirmed_at + after
          or was_excused(due.monitor_id, due.confirmed_at, due.ended_at, due.created_at)) then 'over'
        when due.kind in ('down', 'reminder') and acknowledged_at is not null then 'acknowledged'
        when due.kind = 'reminder' and coalesce((due.alerts ->> 'remind_every_s')::integer, 0) = 0
          and not due.facts ? 'snoozed_until' then 'off'
        when due.kind in ('degraded', 'unknown', 'pipeline') and exists (
          select from notifications e where e.answers = due.id) then 'over'
        when due.kind = 'degraded' and status_now not in ('degraded', 'unknown', 'down') then 'over'
        when due.kind = 'unknown' and status_now <> 'unknown' then 'over'
        when due.kind = 'slow' and exists (
          select from slow_spells p where p.id = due.cause and p.ended_at is not null) then 'over'
        when due.kind = 'stable' and status_now = 'paused' then 'over'
        when due.kind in ('certificate', 'domain') and (status_now = 'paused' or not exists (
          select from monitor_expiries e
          where e.monitor_id = due.monitor_id and e.kind = due.kind
            and e.expires_at = (due.facts ->> 'expires_at')::timestamptz)) then 'over'
        when due.kind in ('down', 'up') and f.open then 'flapping'
      end as cancel,
      case when due.kind in ('down', 'reminder', 'degraded', 'unknown', 'slow') then
        maintenance_until(due.monitor_id, now()) end as maintained,
      case when due.kind in ('down', 'reminder', 'degraded', 'unknown', 'slow') and due.ended_at is null then
        dependency_of(due.monitor_id, coalesce(due.started_at, due.at), due.created_at) end as dependency,
      case when due.kind in ('down', 'reminder') and snoozed_until > now() then least(snoozed_until, soon) end as snoozed,
      case when due.kind = 'degraded' and status_now <> 'degraded' then soon end as unsettled,
      case when due.kind = 'down' and due.step > 0 and held in ('maintenance', 'dependency') then now() + after end as later,
      case when due.kind = 'stable' and f.calm_at > now() then f.calm_at end as unsteady,
      case when told = 'waiting' and not exists (select from due b where b.id = due.answers) then
        greatest(told_due, now() + interval '1 second') end as after_other,
      told_held, due.kind = 'down' and f.allowed > 0 and f.outages >= f.allowed as flaps
    from due left join flaps f on f.monitor_id = due.monitor_id
  )
  select j.id,
    case when cancel is not null then 'cancel' when h.until is not null then 'hold' when flaps then 'flap' else 'send' end,
    h.until, coalesce(cancel, h.why)
  from judged j
  left join lateral (
    select held.until, held.why
    from (values (1, case when maintained is not null then least(maintained, soon) end, 'maintenance'),
      (2, case when dependency = 'dependency' then soon when dependency is not null then now() + interval '3 seconds' end,
        dependency),
      (3, snoozed, 'snoozed'), (4, unsettled, 'unsettled'), (5, later, 'escalation'), (6, unsteady, 'flapping'),
      (7, after_other, told_held), (8, quiet, 'quiet')) held (place, until, why)
    where held.until is not null
    order by held.place limit 1) h on true;
end $$;

-- As before, but for its last words: from the fourth message within a minute on, what comes waits longer for company
-- (15 s at ten messages a minute). Fifty monitors of one host, checked once a minute, fail within a minute, not at once.
create or replace function settle_due(channel channels, sender text, lease interval) returns bigint language plpgsql as $$
declare
  made_id bigint;
  left_over real;
  company real;
begin
  with v as materialized (select * from bound_verdicts(channel, 5000)), made as (
    insert into messages (channel_id, status, attempts, claimed_by, claimed_until)
    select channel.id, 'sending', 1, sender, now() + lease
    where exists (  -- and this statement sees it: what came since it began would make an empty message
      select from v join notifications n on n.id = v.id where v.verdict in ('send', 'flap'))
    returning id
  ), noted as (
    insert into incident_events (incident_id, at, kind, who, text)
    select distinct n.incident_id, now(), 'held', channel.name, v.why
    from v join notifications n on n.id = v.id
    where v.verdict = 'hold' and n.kind = 'down' and n.held is distinct from v.why
      and v.why not in ('dependency?', 'escalation')
  ), planned as (
    insert into notifications (key, channel_id, monitor_id, kind, at, due_at)
    select 'stable:' || n.id, channel.id, n.monitor_id, 'stable', now(), now() + (flap_rules(m.alerts)).calm
    from v join notifications n on n.id = v.id join monitors m on m.id = n.monitor_id
    where v.verdict = 'flap'
  ), ended_in as (  -- what a flapping monitor ended in is told by saying so; its end will be told too
    insert into notifications (key, channel_id, monitor_id, incident_id, cause, kind, at, due_at, status, held, message_id)
    select 'down:' || i.id || ':stable:' || channel.id, channel.id, i.monitor_id, i.id, i.id, 'down', i.started_at, now(),
      'taken', 'flapping', made.id
    from v join notifications n on n.id = v.id and n.kind = 'stable'
    join incidents i on i.monitor_id = n.monitor_id and i.ended_at is null
    cross join made
    where v.verdict = 'send'
    on conflict (key) do nothing
  ), settled as (
    update notifications n set
      status = case v.verdict when 'cancel' then 'cancelled' when 'hold' then 'waiting' else 'taken' end,
      due_at = case v.verdict when 'hold' then greatest(v.until, now() + interval '0.1 seconds') else n.due_at end,
      held = case when v.verdict in ('cancel', 'hold') then v.why else n.held end,
      kind = case v.verdict when 'flap' then 'flapping' else n.kind end,
      message_id = case when v.verdict in ('send', 'flap') then (select id from made) end
    from v where n.id = v.id
  )
  select id into made_id from made;
  if made_id is null then
    return null;
  end if;

  select case when count(*) > 3 and channel.per_minute <= 60 then least(15, 150.0 / channel.per_minute) else 0 end
  into company
  from messages m where m.channel_id = channel.id and m.created_at > now() - interval '1 minute';
  left_over := least(least(5, channel.per_minute), channel.tokens
    + greatest(extract(epoch from now() - channel.tokens_at), 0) * channel.per_minute / 60) - 1;
  update channels set tokens = left_over, tokens_at = now(),
    next_at = now() + greatest(greatest(1 - left_over, 0) * 60 / per_minute, company) * interval '1 second'
  where id = channel.id;
  return made_id;
end $$;
