-- Alerts: who is told of what. Notifications are written by triggers, in the transaction of the transition itself;
-- what holds one back is decided when it is due, again and again, so that no edit, restart or race can lose it.

-- A function over the table's row type would stand in the way of new columns.
create or replace function monitors_before_update() returns trigger language plpgsql as $$
declare
  changed constant boolean :=
    (old.type, old.options, old.interval_s, old.timeout_s, old.regions, old.failure_threshold, old.recovery_threshold,
      old.enabled, old.archived_at)
    is distinct from
    (new.type, new.options, new.interval_s, new.timeout_s, new.regions, new.failure_threshold, new.recovery_threshold,
      new.enabled, new.archived_at);
begin
  new.version := old.version + changed::integer;
  new.updated_at := now();
  return new;
end $$;
drop function monitor_definition_changed(monitors, monitors);

-- The recorder's triggers and the senders read these rules: one that they could not read would hold up every monitor.
create function alert_rules_readable(rules jsonb) returns boolean language sql immutable as $$
  select jsonb_typeof(rules) = 'object'
    and coalesce(jsonb_typeof(rules -> 'steps'), 'null') in ('null', 'array')
    and coalesce(jsonb_typeof(rules -> 'certificate_days'), 'array') = 'array'
    and coalesce(jsonb_typeof(rules -> 'slow_percentile'), 'null') in ('null', 'object')
    and (rules @? '$.steps[*] ? (@.type() != "object" && @ != null)') is not true
    and (rules @? '$.steps[*].keyvalue() ? (@.key != "after_s" && @.value.type() != "array")') is not true
    and (rules @? '$.keyvalue() ? (@.key starts with "on_" && @.value.type() != "boolean")') is not true
    and not exists (
      select from (
        select jsonb_path_query(rules, '$.keyvalue() ? (@.key like_regex "_s$|^flap_").value')
        union all select jsonb_path_query(rules, '$.steps[*].*[*]')
        union all select jsonb_path_query(rules, '$.slow_percentile.window_s')) whole (number)
      where number::text !~ '^\d{1,9}$')
    and not exists (
      select from jsonb_path_query(rules, '$.certificate_days[*]') number where number::text !~ '^\d{1,4}$')
    and not exists (
      select from jsonb_path_query(rules, '$.slow_percentile.*') number where number::text !~ '^\d{1,9}(\.\d+)?$')
    and (rules @? '$.slow_percentile ? (@.percentile > 100)') is not true
$$;
alter table monitors add column alerts jsonb not null default '{}' check (alert_rules_readable(alerts));
comment on column monitors.alerts is
  'Who is told, and of what: AlertRules in pinguin/model.py. Without "steps" the default channels are.';

create table monitor_dependencies (
  monitor_id bigint not null references monitors,
  depends_on bigint not null references monitors,
  primary key (monitor_id, depends_on),
  check (monitor_id <> depends_on)
);
create index monitor_dependencies_on on monitor_dependencies (depends_on);
comment on table monitor_dependencies is
  'While the monitor that it depends on is down, a monitor''s own alerts are held back: never its checks, never its recovery.';

create table channels (
  id bigint generated always as identity primary key,
  name text not null check (length(name) between 1 and 100),
  kind text not null,
  options jsonb not null,
  enabled boolean not null default true,
  is_default boolean not null default false,
  subject_template text,
  body_template text,
  per_minute integer not null default 10 check (per_minute between 1 and 600),
  quiet_from time,
  quiet_to time,
  quiet_zone text,
  quiet_days smallint[] not null default '{1,2,3,4,5,6,7}',
  tokens real not null default 1000,
  tokens_at timestamptz not null default now(),
  next_at timestamptz not null default '-infinity',
  failures integer not null default 0,
  failing_since timestamptz,
  broken_at timestamptz,
  broken_reason text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz,
  check ((quiet_from is null) = (quiet_to is null) and (quiet_from is null) = (quiet_zone is null)),
  check (timestamptz 'epoch' at time zone quiet_zone is distinct from 'infinity'),  -- fails for what is no zone
  check (quiet_days <@ '{1,2,3,4,5,6,7}'),
  check (not (quiet_from = quiet_to and quiet_days @> '{1,2,3,4,5,6,7}'))  -- quiet for ever
);
create unique index channels_name on channels (lower(name)) where archived_at is null;
comment on table channels is 'Where alerts go.';
comment on column channels.kind is 'webhook, email, script or apprise: a file of pinguin/alerts/channels/.';
comment on column channels.options is 'As the kind''s struct defines them; secrets are sealed.';
comment on column channels.is_default is 'Told of every monitor that does not choose its own channels.';
comment on column channels.per_minute is 'Messages a minute, up to five of them at once; what waits longer becomes one digest.';
comment on column channels.quiet_from is 'Wall-clock time in quiet_zone; until quiet_to (the next day, if that is earlier) nothing is sent, but kept.';
comment on column channels.quiet_days is 'ISO weekdays (1 is Monday) on which the quiet hours begin.';
comment on column channels.next_at is 'Not before: set by the rate limit.';
comment on column channels.broken_at is 'The provider refused for good; nothing is sent until somebody mends the channel.';

create table channel_groups (
  id bigint generated always as identity primary key,
  name text not null check (length(name) between 1 and 100),
  channel_ids bigint[] not null
);
create unique index channel_groups_name on channel_groups (lower(name));
comment on table channel_groups is 'Channels that are chosen together.';

alter table incidents
  add column acknowledged_at timestamptz,
  add column acknowledged_by text,
  add column snoozed_until timestamptz,
  add column resolved_by text,
  add column postmortem text,
  drop constraint incidents_closed_by_check,
  add constraint incidents_closed_by_check check (closed_by in ('recovery', 'pause', 'deletion', 'hand'));
comment on column incidents.acknowledged_at is 'Somebody takes care: no reminder and no escalation any more.';
comment on column incidents.postmortem is 'What was learnt; Markdown.';

create table incident_events (
  id bigint generated always as identity primary key,
  incident_id bigint not null references incidents,
  at timestamptz not null,
  kind text not null check (kind in
    ('failed', 'confirmed', 'alerted', 'held', 'acknowledged', 'unacknowledged', 'snoozed', 'commented', 'resolved',
    'recovered', 'closed')),
  who text,
  text text not null default ''
);
create index incident_events_incident on incident_events (incident_id, at, id);
comment on table incident_events is 'An incident''s timeline. who: the person, or the channel that was told.';

create table messages (
  id bigint generated always as identity primary key,
  key uuid not null unique default gen_random_uuid(),
  channel_id bigint not null references channels,
  status text not null check (status in ('sending', 'retry', 'sent', 'failed')),
  attempts integer not null default 0,
  unsure boolean not null default false,
  claimed_by text,
  claimed_until timestamptz,
  due_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  subject text
);
create unique index messages_open on messages (channel_id) where status in ('sending', 'retry');
create index messages_created on messages (created_at desc);
create index messages_channel on messages (channel_id, created_at desc);
comment on table messages is 'One message to one channel, about one notification or many. Of each channel one is under way at a time.';
comment on column messages.key is 'The same for every try: receivers that know it drop the second of two.';
comment on column messages.unsure is 'A try ended without an answer, or with its sender: the provider may have it.';
comment on column messages.claimed_until is 'When another sender may take it over.';

create table attempts (
  id bigint generated always as identity primary key,
  message_id bigint not null references messages,
  at timestamptz not null default now(),
  latency_ms real,
  outcome text not null check (outcome in ('delivered', 'failed', 'refused')),
  answer text not null
);
create index attempts_message on attempts (message_id);
comment on table attempts is 'Every try to deliver a message, and what the provider answered.';

create table notifications (
  id bigint generated always as identity primary key,
  key text not null unique,
  channel_id bigint not null references channels,
  monitor_id bigint references monitors,
  incident_id bigint references incidents,
  pipeline_id bigint references pipeline_incidents,
  cause bigint,
  kind text not null check (kind in (
    'down', 'up', 'reminder', 'degraded', 'ok', 'unknown', 'known', 'flapping', 'stable', 'slow', 'fast', 'certificate',
    'domain', 'pipeline', 'pipeline_over')),
  step integer not null default 0,
  answers bigint references notifications on delete set null,
  at timestamptz not null,
  due_at timestamptz not null,
  status text not null default 'waiting' check (status in ('waiting', 'taken', 'sent', 'cancelled', 'failed')),
  held text,
  message_id bigint references messages,
  facts jsonb not null default '{}',
  created_at timestamptz not null default now(),
  told_at timestamptz
);
create index notifications_due on notifications (channel_id, due_at) where status = 'waiting';
create index notifications_message on notifications (message_id);
create index notifications_incident on notifications (incident_id) where incident_id is not null;
create index notifications_monitor on notifications (monitor_id, kind, cause);
create index notifications_stable on notifications (monitor_id, channel_id) where kind = 'stable' and status = 'waiting';
create index notifications_answers on notifications (answers) where answers is not null;
comment on table notifications is 'The outbox: this channel is to hear of this. Written with the cause, in one transaction.';
comment on column notifications.key is 'What makes it one: the same cause never makes a second.';
comment on column notifications.cause is
  'Of a monitor''s news, what it is about: the id of the incident, of the transition to degraded or unknown, of the slow spell.';
comment on column notifications.step is 'Step of the escalation.';
comment on column notifications.answers is 'The notification whose end this one tells: untold if that one was never told.';
comment on column notifications.at is 'When it happened; due_at is when it may be told.';
comment on column notifications.held is 'Why it waits, or why it was cancelled.';

create table monitor_expiries (
  monitor_id bigint not null references monitors,
  kind text not null check (kind in ('certificate', 'domain')),
  expires_at timestamptz not null,
  subject text not null default '',
  seen_at timestamptz not null default now(),
  primary key (monitor_id, kind)
);
create index monitor_expiries_at on monitor_expiries (expires_at);
comment on table monitor_expiries is 'When the certificate or the registration that a monitor saw last runs out.';

create table slow_spells (
  id bigint generated always as identity primary key,
  monitor_id bigint not null references monitors,
  started_at timestamptz not null default now(),
  ended_at timestamptz,
  percentile real not null,
  window_s integer not null,
  above_ms real not null,
  value_ms real not null
);
create unique index slow_spells_open on slow_spells (monitor_id) where ended_at is null;
comment on table slow_spells is 'Times in which a percentile of a monitor''s latency over a window was above what its alert rules allow.';

-- Who is told, step by step. One row a step and channel.
create function alert_channels(alerts jsonb) returns table (step integer, after_s integer, channel_id bigint)
language sql stable as $$
  with steps as (
    select place::integer - 1 as step, coalesce((value ->> 'after_s')::integer, 0) as after_s, value
    from jsonb_array_elements(case when jsonb_typeof(alerts -> 'steps') = 'array' then alerts -> 'steps' else '[]' end)
      with ordinality each (value, place)
  ), chosen as (
    select step, after_s, named::bigint as channel_id
    from steps, jsonb_array_elements_text(coalesce(value -> 'channels', '[]')) named
    union
    select step, after_s, member
    from steps, jsonb_array_elements_text(coalesce(value -> 'groups', '[]')) named
    join channel_groups g on g.id = named::bigint
    cross join unnest(g.channel_ids) member
    union
    select 0, 0, id from channels where is_default and jsonb_typeof(alerts -> 'steps') is distinct from 'array'
  )
  select step, after_s, c.id from chosen join channels c on c.id = chosen.channel_id
  where c.enabled and c.archived_at is null
$$;
comment on function alert_channels is 'The channels that a monitor''s alert rules name, with their step and its delay in seconds.';

-- What one kind of news of a monitor is to be told to: its channels, or with `every_step` those of the escalation too.
create function notify_channels(
  news text, monitor bigint, incident bigint, about bigint, happened_at timestamptz, wait interval, every_step boolean,
  what jsonb default '{}')
returns void language plpgsql as $$  -- not sql: its plan is kept
begin
  insert into notifications (key, channel_id, monitor_id, incident_id, cause, kind, step, at, due_at, facts)
  select news || ':' || about || ':' || c.step || ':' || c.channel_id, c.channel_id, monitor, incident, about, news,
    c.step, happened_at, now() + wait + c.after_s * interval '1 second', what
  from monitors m, alert_channels(m.alerts) c
  where m.id = monitor and (every_step or c.step = 0)
  on conflict (key) do nothing;
end $$;

-- The end of something goes to those who heard of it, or are about to: also to those whose step comes while this
-- transaction lasts, as a sender that does not see it yet tells them. If none does, the end is called off too.
create function notify_end(
  news text, begun text[], monitor bigint, incident bigint, about bigint, happened_at timestamptz,
  what jsonb default '{}')
returns void language plpgsql as $$
begin
  insert into notifications (key, channel_id, monitor_id, incident_id, cause, kind, answers, at, due_at, facts)
  select news || ':' || about || ':' || told.channel_id, told.channel_id, monitor, incident, about, news, told.id,
    happened_at, now(), what
  from (
    select distinct on (n.channel_id) n.channel_id, n.id
    from notifications n join channels c on c.id = n.channel_id and c.enabled and c.archived_at is null
    where n.monitor_id = monitor and n.kind = any(begun) and n.cause = about
      and (n.status in ('taken', 'sent')
        or n.status = 'waiting' and (n.due_at <= now() + interval '15 seconds' or n.held is not null or n.step = 0))
    order by n.channel_id, n.status <> 'sent', n.status <> 'taken', n.step, n.id desc) told
  on conflict (key) do nothing;
end $$;

create function incidents_after_insert() returns trigger language plpgsql as $$
begin
  insert into incident_events (incident_id, at, kind, text) values
    (new.id, new.started_at, 'failed', new.message), (new.id, new.confirmed_at, 'confirmed', new.reason);
  perform notify_channels('down', new.monitor_id, new.id, new.id, new.started_at, '0', true);
  return null;
end $$;
create trigger after_insert after insert on incidents for each row execute function incidents_after_insert();

-- Steps and reminders that wait are not touched here: they are called off when they are due. So those who record only
-- ever add notifications, and never wait for a sender, nor a sender for them.
create function incidents_after_end() returns trigger language plpgsql as $$
begin
  insert into incident_events (incident_id, at, kind, who, text) values (
    new.id, new.ended_at,
    case new.closed_by when 'recovery' then 'recovered' when 'hand' then 'resolved' else 'closed' end,
    new.resolved_by, case when new.closed_by in ('pause', 'deletion') then new.closed_by else '' end);
  if new.closed_by in ('recovery', 'hand') then
    perform notify_end('up', '{down,flapping}', new.monitor_id, new.id, new.id, new.ended_at);
  end if;
  return null;
end $$;
create trigger after_end after update of ended_at on incidents for each row
  when (old.ended_at is null and new.ended_at is not null) execute function incidents_after_end();

create function degraded_since(monitor bigint, upto bigint) returns bigint language sql stable as $$
  select t.id
  from transitions t
  where t.monitor_id = monitor and t.id <= upto and t.to_status = 'degraded' and (t.at, t.id) > (
    select b.at, b.id from transitions b
    where b.monitor_id = monitor and b.id < upto and b.to_status in ('up', 'pending', 'paused')
    order by b.at desc, b.id desc limit 1)
  order by t.at, t.id
  limit 1
$$;
comment on function degraded_since is
  'The transition with which a monitor''s degraded time began: being unknown or down does not end it, being up does.';

create function transitions_after_insert() returns trigger language plpgsql as $$
declare
  monitor monitors;
  lasting interval := '0';
begin
  select * into monitor from monitors where id = new.monitor_id;
  if new.to_status = 'degraded' and coalesce((monitor.alerts ->> 'on_degraded')::boolean, true) then
    if monitor.failure_threshold > 1 then  -- until the check that could confirm it is in
      lasting := ((monitor.failure_threshold - 1) * monitor.interval_s + monitor.timeout_s + 1) * interval '1 second';
    end if;
    perform notify_channels('degraded', new.monitor_id, null, degraded_since(new.monitor_id, new.id), new.at, lasting,
      false, jsonb_build_object('reason', new.reason, 'message', new.message));
  elsif new.to_status = 'unknown' and coalesce((monitor.alerts ->> 'on_unknown')::boolean, false) then
    perform notify_channels('unknown', new.monitor_id, null, new.id, new.at, '0', false,
      jsonb_build_object('reason', new.reason, 'message', new.message));
  end if;
  if new.to_status = 'up' then
    perform notify_end('ok', '{degraded}', new.monitor_id, null, degraded_since(new.monitor_id, new.id), new.at);
  end if;
  if new.from_status = 'unknown' and new.to_status in ('up', 'degraded', 'down') then
    perform notify_end('known', '{unknown}', new.monitor_id, null, (
      select id from transitions where monitor_id = new.monitor_id and id < new.id and to_status = 'unknown'
      order by at desc, id desc limit 1), new.at);
  end if;
  return null;
end $$;
create trigger after_insert after insert on transitions for each row execute function transitions_after_insert();

-- Pinguin's own health is told once, to the default channels.
alter table pipeline_incidents drop constraint pipeline_incidents_code_check;
alter table pipeline_incidents add constraint pipeline_incidents_code_check
  check (code in ('no_worker', 'queue_late', 'spilled', 'lost', 'quiet', 'offline', 'unwatched', 'channel', 'pushes'));
comment on column pipeline_incidents.code is
  'no_worker: a region has monitors and no worker; queue_late: jobs wait too long; spilled: results wait for the database; lost: results did not fit there; quiet: monitors without results; offline: a worker without a network; unwatched: no leader, or no database for it; channel: one refuses what it is sent; pushes: nobody takes pings, or they wait for the database.';
comment on column pipeline_incidents.region is 'The region, or the channel''s name, where one is concerned.';

create function pipeline_after_write() returns trigger language plpgsql as $$
begin
  -- What is over within 20 s is not told; nor is what was over before it could be written down, unless it was longer.
  if tg_op = 'INSERT' and (new.ended_at is null or new.ended_at > new.started_at + interval '2 minutes') then
    insert into notifications (key, channel_id, pipeline_id, kind, at, due_at)
    select 'pipeline:' || new.id || ':' || c.id, c.id, new.id, 'pipeline', new.started_at,
      now() + case when new.ended_at is null then interval '20 seconds' else '0' end
    from channels c
    where c.is_default and c.enabled and c.archived_at is null;
  elsif tg_op = 'UPDATE' and old.ended_at is null and new.ended_at is not null then
    insert into notifications (key, channel_id, pipeline_id, kind, answers, at, due_at)
    select 'pipeline_over:' || new.id || ':' || n.channel_id, n.channel_id, new.id, 'pipeline_over', n.id, new.ended_at, now()
    from notifications n
    where n.pipeline_id = new.id and n.kind = 'pipeline' and n.status in ('waiting', 'taken', 'sent')
      and new.code <> 'lost'  -- what is lost is not well again because no more is
    on conflict (key) do nothing;
  end if;
  return null;
end $$;
create trigger after_write after insert or update of ended_at on pipeline_incidents
  for each row execute function pipeline_after_write();
create index notifications_pipeline on notifications (pipeline_id) where pipeline_id is not null;

-- A spell that ends because nobody looks any more (paused, deleted, another rule) is nothing to tell: its value is still
-- above the limit.
create function slow_spells_after_write() returns trigger language plpgsql as $$
declare
  said constant jsonb := jsonb_build_object('value_ms', new.value_ms, 'above_ms', new.above_ms,
    'percentile', new.percentile, 'window_s', new.window_s);
begin
  if tg_op = 'INSERT' then
    perform notify_channels('slow', new.monitor_id, null, new.id, new.started_at, '0', false, said);
  elsif new.ended_at is not null and old.ended_at is null and new.value_ms <= new.above_ms then
    perform notify_end('fast', '{slow}', new.monitor_id, null, new.id, new.ended_at, said);
  end if;
  return null;
end $$;
create trigger after_write after insert or update of ended_at on slow_spells
  for each row execute function slow_spells_after_write();

-- A channel that is switched off, deleted, broken or mended. Whoever changes what a channel has to send locks the channel
-- first.
create function channels_before_update() returns trigger language plpgsql as $$
begin
  if (new.kind, new.options, new.enabled) is distinct from (old.kind, old.options, old.enabled) then
    new.broken_at := null;
    new.broken_reason := null;
    new.failures := 0;
    new.failing_since := null;
    new.next_at := '-infinity';
    new.updated_at := now();
  end if;
  return new;
end $$;
create trigger before_update before update on channels for each row execute function channels_before_update();

create function channels_after_update() returns trigger language plpgsql as $$
begin
  if not new.enabled and old.enabled or new.archived_at is not null and old.archived_at is null then
    update notifications set status = 'cancelled', held = 'channel off'
    where channel_id = new.id and status in ('waiting', 'taken');
    update messages set status = 'failed', ended_at = now() where channel_id = new.id and status in ('sending', 'retry');
  elsif (new.kind, new.options) is distinct from (old.kind, old.options) then
    update messages set due_at = now() where channel_id = new.id and status = 'retry';
  end if;
  if old.broken_at is null and new.broken_at is not null and new.archived_at is null then
    insert into pipeline_incidents (code, region, message)
    values ('channel', new.name, format('channel "%s" refuses what it is sent: %s', new.name, new.broken_reason))
    on conflict (code, region) where ended_at is null do update set message = excluded.message;
  elsif old.broken_at is not null then
    update pipeline_incidents set region = new.name,
      ended_at = case when new.broken_at is null or new.archived_at is not null then now() end
    where code = 'channel' and region = old.name and ended_at is null;
  end if;
  return null;
end $$;
create trigger after_update after update on channels for each row execute function channels_after_update();

create function quiet_until(channel channels, moment timestamptz) returns timestamptz
language sql stable as $$
  select max(ends)
  from (
    select (day + channel.quiet_from) at time zone channel.quiet_zone as starts,
      (day + channel.quiet_to + (channel.quiet_to <= channel.quiet_from)::integer * interval '1 day')
        at time zone channel.quiet_zone as ends,
      extract(isodow from day)::smallint as weekday
    from generate_series(
      date_trunc('day', moment at time zone channel.quiet_zone) - interval '1 day',
      date_trunc('day', moment at time zone channel.quiet_zone), interval '1 day') day) hours
  where channel.quiet_from is not null and weekday = any(channel.quiet_days) and starts <= moment and moment < ends
$$;
comment on function quiet_until is 'The end of the channel''s quiet hours, if `moment` lies in them.';

-- What senders do, each step one statement: gather a channel's due notifications into a message, and mark how it went.

create function depends_on(monitor bigint, other bigint) returns boolean language sql stable as $$
  with recursive above (id) as (
    select depends_on from monitor_dependencies where monitor_id = monitor
    union
    select d.depends_on from above join monitor_dependencies d on d.monitor_id = above.id)
  select exists (select from above where id = other)
$$;
comment on function depends_on is 'Whether `monitor` depends on `other`, directly or through others.';

create function dependency_of(monitor bigint, failed_at timestamptz, told_from timestamptz) returns text
language plpgsql stable as $$
begin
  if not exists (select from monitor_dependencies d where d.monitor_id = monitor) then
    return null;  -- nearly always
  end if;
  -- 'dependency' while a monitor that this one depends on is down, or is up again and this one has not failed since.
  -- 'dependency?' while one may be down, because it has not been checked since this one failed. Null where the failure
  -- is its own. Monitors that depend on each other hold nobody back: else all would wait for all.
  return (select case
    when bool_or(s.incident_id is not null
      or b.back_at is not null and (own.failures = 0 or coalesce(own.last_slot <= b.back_at, true))
        and now() < b.back_at + (p.recovery_threshold * p.interval_s + (m.recovery_threshold + 1) * m.interval_s
          + m.timeout_s) * interval '1 second') then 'dependency'
    when bool_or(not (s.status in ('up', 'degraded') and s.failures = 0 and coalesce(s.last_slot > failed_at, false))
      and now() < told_from + least(p.interval_s * p.failure_threshold + p.timeout_s, 300) * interval '1 second')
      then 'dependency?'
  end
  from monitor_dependencies d
  join monitors m on m.id = d.monitor_id
  join monitor_states own on own.monitor_id = m.id
  join monitors p on p.id = d.depends_on and p.enabled and p.archived_at is null
  join monitor_states s on s.monitor_id = p.id
  cross join lateral (
    select max(i.ended_at) as back_at from incidents i where i.monitor_id = p.id and i.ended_at >= failed_at) b
  where d.monitor_id = monitor and not depends_on(p.id, monitor));
end $$;

-- Of an outage that is over before anybody was told: whether it was one of maintenance, or of something that the monitor
-- depends on, from the time at which it could have been told until its end.
create function was_excused(monitor bigint, confirmed timestamptz, ended timestamptz, told_from timestamptz)
returns boolean language plpgsql stable as $$
begin
  return maintenance_until(monitor, told_from) is not null and maintenance_until(monitor, ended) is not null
    or exists (
      select from monitor_dependencies d
      join monitors m on m.id = d.monitor_id
      join monitors p on p.id = d.depends_on
      join incidents i on i.monitor_id = p.id
        and i.started_at <= confirmed + (p.interval_s * p.failure_threshold) * interval '1 second'
        and coalesce(i.ended_at, 'infinity') >= ended - (m.interval_s + m.timeout_s) * interval '1 second'
      where d.monitor_id = monitor and not depends_on(p.id, m.id));
end $$;

create function flap_rules(alerts jsonb, out outages integer, out span interval, out calm interval)
language sql immutable as $$
  select coalesce((alerts ->> 'flap_outages')::integer, 5),
    coalesce((alerts ->> 'flap_window_s')::integer, 3600) * interval '1 second',
    coalesce((alerts ->> 'flap_window_s')::integer, 3600) * interval '0.25 second'
$$;
comment on function flap_rules is
  'So many outages (0: never) within this time are flapping; it is over after a quarter of the time without a change.';

-- What is to be done with each due notification of a channel: send, cancel, hold (until) or flap. They are locked; those
-- that somebody else is just changing are left for the next time.
create function alert_verdicts(wanted channels, most integer)
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
        when due.kind = 'reminder' and coalesce((due.alerts ->> 'remind_every_s')::integer, 0) = 0 then 'off'
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

-- The verdicts, with those on the end of something bound to the verdict on its beginning, where both are due. Of several
-- outages of one flapping monitor, one says so; of several steps for one outage, one is sent.
create function bound_verdicts(wanted channels, most integer)
returns table (id bigint, verdict text, until timestamptz, why text)
language plpgsql as $$
begin
  return query
  with v as materialized (select * from alert_verdicts(wanted, most)), named as (
    select v.*, n.answers, n.monitor_id,
      row_number() over (partition by n.monitor_id, v.verdict order by n.id desc) as place,
      n.kind = 'down' and row_number() over (partition by n.incident_id, n.kind, v.verdict order by n.step, n.id) > 1 as again
    from v join notifications n on n.id = v.id
  )
  select n.id,
    case when b.verdict = 'flap' then 'cancel' when b.verdict in ('cancel', 'hold') then b.verdict
      when n.verdict = 'flap' and n.place > 1 or n.verdict = 'send' and n.again then 'cancel' else n.verdict end,
    coalesce(b.until, n.until),
    case when b.verdict = 'flap' or n.verdict = 'flap' then 'flapping' when b.verdict = 'cancel' then 'untold'
      when n.verdict = 'send' and n.again then 'told' else coalesce(b.why, n.why) end
  from named n left join named b on b.id = n.answers;
end $$;

-- One channel's due notifications into one message, claimed by `sender`; null where no channel is ready.
-- The first waits 0.4 s for company; where there is much of it, until nothing has come for a second, or for 4 s. What
-- was held back and is looked at again is no company.
create function gather_message(sender text, lease interval) returns bigint language plpgsql as $$
declare
  channel channels;
  seen bigint[] := '{}';
  made_id bigint;
begin
  loop
    -- Not `for update`: who writes a notification holds a key share lock on its channel, and must not wait for us.
    select c.* into channel
    from channels c
    cross join lateral (
      select count(*) filter (where held is null) as waiting, min(due_at) as oldest,
        max(due_at) filter (where held is null) as newest
      from (select due_at, held from notifications n
        where n.channel_id = c.id and n.status = 'waiting' and n.due_at <= clock_timestamp()
        order by due_at limit 5000) due) w
    where c.enabled and c.archived_at is null and c.broken_at is null and c.next_at <= clock_timestamp()
      and w.oldest <= clock_timestamp() - interval '0.4 seconds'
      and (w.waiting < 3 or w.newest <= clock_timestamp() - interval '1 second'
        or w.oldest <= clock_timestamp() - interval '4 seconds')
      and not exists (select from messages m where m.channel_id = c.id and m.status in ('sending', 'retry'))
      and c.id <> all(seen)
    order by w.oldest
    limit 1
    for no key update of c skip locked;
    if channel.id is null then
      return null;
    end if;
    seen := seen || channel.id;
    -- Looked at again now that it is locked: another sender may have been here since this statement began.
    if not exists (select from messages m where m.channel_id = channel.id and m.status in ('sending', 'retry')) then
      made_id := settle_due(channel, sender, lease);
    end if;
    if made_id is not null then
      return made_id;
    end if;
  end loop;
end $$;

-- Settle what is due in a (locked) channel; the message that it made, or null where nothing is to be sent now.
create function settle_due(channel channels, sender text, lease interval) returns bigint language plpgsql as $$
declare
  made_id bigint;
  left_over real;
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

  left_over := least(least(5, channel.per_minute), channel.tokens
    + greatest(extract(epoch from now() - channel.tokens_at), 0) * channel.per_minute / 60) - 1;
  update channels set tokens = left_over, tokens_at = now(),
    next_at = now() + greatest(1 - left_over, 0) * 60 / per_minute * interval '1 second'
  where id = channel.id;
  return made_id;
end $$;

-- A message whose time for another try has come, or whose sender is gone; null where there is none. What ended
-- meanwhile is told by it too, if the provider surely has not heard of it yet. One that no sender outlives is given up
-- after a day.
create function reclaim_message(sender text, lease interval) returns bigint language plpgsql as $$
declare
  message messages;
begin
  select m.* into message
  from messages m join channels c on c.id = m.channel_id
  where c.broken_at is null and quiet_until(c, now()) is null
    and (m.status = 'retry' and m.due_at <= now() or m.status = 'sending' and m.claimed_until < now())
  order by m.due_at
  limit 1
  for no key update of c, m skip locked;
  if message.id is null then
    return null;
  end if;
  if message.status = 'sending' and message.attempts >= 10 and message.created_at < now() - interval '1 day' then
    update messages set status = 'failed', ended_at = now(), unsure = true where id = message.id;
    insert into attempts (message_id, outcome, answer) values (message.id, 'failed', 'its sender ended without a word');
    update notifications set status = 'failed', held = 'a day without success' where message_id = message.id;
    return null;
  end if;
  update messages set status = 'sending', attempts = attempts + 1, claimed_by = sender, claimed_until = now() + lease,
    unsure = unsure or message.status = 'sending'
  where id = message.id;
  if not message.unsure and message.status = 'retry' then
    update notifications e set status = 'taken', message_id = message.id
    from notifications b
    where b.message_id = message.id and e.answers = b.id and e.status = 'waiting' and e.due_at <= now();
  end if;
  return message.id;
end $$;

-- A message is marked with its channel locked first, as by those who edit channels.
create function lock_channel_of(message bigint) returns void language sql as $$
  select from channels where id = (select channel_id from messages where id = message) for no key update
$$;

-- It was delivered. False where the claim was lost meanwhile.
create function mark_delivered(wanted bigint, sender text, said text, took_ms real, title text) returns boolean
language plpgsql as $$
declare
  delivered messages;
  channel channels;
begin
  perform lock_channel_of(wanted);
  update messages set status = 'sent', ended_at = now(), subject = title
  where id = wanted and claimed_by = sender and status = 'sending'
  returning * into delivered;
  if delivered.id is null then
    return false;
  end if;
  insert into attempts (message_id, latency_ms, outcome, answer) values (wanted, took_ms, 'delivered', said);
  update channels set failures = 0, failing_since = null where id = delivered.channel_id and failures > 0;
  select * into channel from channels where id = delivered.channel_id;
  update notifications set status = 'sent', told_at = now(), held = null where message_id = wanted;
  insert into incident_events (incident_id, at, kind, who, text)
  select distinct incident_id, now(), 'alerted', channel.name, kind from notifications
  where message_id = wanted and incident_id is not null;
  insert into notifications (key, channel_id, monitor_id, incident_id, kind, step, at, due_at)
  select 'reminder:' || i.id || ':' || channel.id || ':' || wanted, channel.id, i.monitor_id, i.id, 'reminder',
    min(n.step), i.started_at, now() + min((m.alerts ->> 'remind_every_s')::integer) * interval '1 second'
  from notifications n
  join incidents i on i.id = n.incident_id and i.ended_at is null and i.acknowledged_at is null
  join monitors m on m.id = i.monitor_id
  where n.message_id = wanted and n.kind in ('down', 'reminder') and (m.alerts ->> 'remind_every_s')::integer > 0
    and not exists (
      select from notifications r
      where r.incident_id = i.id and r.channel_id = channel.id and r.kind = 'reminder' and r.status = 'waiting')
  group by i.id, i.monitor_id
  on conflict (key) do nothing;
  return true;
end $$;

-- It was not delivered, or nobody knows: another try at `again_in`, up to a day after it was made.
create function mark_failed(
  wanted bigint, sender text, said text, took_ms real, doubtful boolean, again_in interval, title text)
returns boolean language plpgsql as $$
declare
  failed messages;
begin
  perform lock_channel_of(wanted);
  update messages set
    status = case when created_at < now() - interval '1 day' then 'failed' else 'retry' end,
    ended_at = case when created_at < now() - interval '1 day' then now() end,
    due_at = now() + again_in, unsure = unsure or doubtful, subject = title
  where id = wanted and claimed_by = sender and status = 'sending'
  returning * into failed;
  if failed.id is null then
    return false;
  end if;
  insert into attempts (message_id, latency_ms, outcome, answer) values (wanted, took_ms, 'failed', said);
  update channels set failures = failures + 1, failing_since = coalesce(failing_since, now()) where id = failed.channel_id;
  update notifications set status = 'failed', held = 'a day without success'
  where message_id = wanted and failed.status = 'failed';
  return true;
end $$;

-- The provider refused for good: the channel is broken, and what it was to tell waits until it is mended.
create function mark_refused(wanted bigint, sender text, said text, took_ms real, title text) returns boolean
language plpgsql as $$
declare
  refused messages;
begin
  perform lock_channel_of(wanted);
  update messages set status = 'failed', ended_at = now(), subject = title
  where id = wanted and claimed_by = sender and status = 'sending'
  returning * into refused;
  if refused.id is null then
    return false;
  end if;
  insert into attempts (message_id, latency_ms, outcome, answer) values (wanted, took_ms, 'refused', said);
  -- What a flapping monitor ended in is found anew when that is told.
  delete from notifications where message_id = wanted and kind = 'down' and held = 'flapping';
  update notifications set status = 'waiting', held = 'broken', message_id = null where message_id = wanted;
  update channels set broken_at = now(), broken_reason = left(said, 500) where id = refused.channel_id;
  return true;
end $$;
