-- Monitors, their versions and their state. A trigger keeps versions, so that an edit made in psql is as good as one
-- made on a page.

create type monitor_status as enum ('up', 'degraded', 'down', 'unknown', 'pending', 'paused', 'maintenance');

-- Golden-ratio hashing: consecutive ids get slots as far apart as can be, so that load is flat by construction.
create function slot_phase(monitor_id bigint, interval_s integer) returns integer
language sql immutable strict parallel safe
return ((((monitor_id * 2654435761) % 4294967296) * interval_s) / 4294967296)::integer;
comment on function slot_phase is
  'Seconds after a whole multiple of the interval (since 1970, UTC) at which a monitor is due: slots are phase + k * interval.';

create table monitors (
  id bigint generated always as identity primary key,
  name text not null check (length(name) between 1 and 200),
  type text not null,
  target text not null,
  options jsonb not null,
  interval_s integer not null default 60 check (interval_s between 1 and 86400),
  timeout_s real not null default 10 check (timeout_s > 0 and timeout_s <= 300),
  regions text[] not null default '{local}' check (cardinality(regions) between 1 and 50),
  failure_threshold integer not null default 2 check (failure_threshold between 1 and 100),
  recovery_threshold integer not null default 1 check (recovery_threshold between 1 and 100),
  tags text[] not null default '{}',
  enabled boolean not null default true,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz
);
comment on table monitors is 'What users defined: one row a monitor, as it is now. Deleted ones are archived, so that their history keeps its name.';
comment on column monitors.type is 'Check type: http, tcp, ping, dns, …';
comment on column monitors.target is 'What is watched, in a few words and without secrets; derived from the options.';
comment on column monitors.options is 'The check type''s options, as its struct in pinguin/checks/ defines them.';
comment on column monitors.interval_s is 'Seconds from one slot to the next.';
comment on column monitors.timeout_s is 'Seconds that one check may take, name look-up included.';
comment on column monitors.regions is 'Where it is checked; each name is a queue that workers of that region take from.';
comment on column monitors.failure_threshold is 'Failed checks in a row that make it down.';
comment on column monitors.recovery_threshold is 'Good checks in a row that end an incident.';
comment on column monitors.version is 'Grows by one with each edit that changes what is checked, or when; a result of an older version changes nothing.';
comment on column monitors.archived_at is 'Set when the monitor was deleted; its results, transitions and incidents stay.';
create index monitors_live on monitors (id) where archived_at is null;
create index monitors_tags on monitors using gin (tags) where archived_at is null;

create table monitor_versions (
  monitor_id bigint not null references monitors,
  version integer not null,
  valid_from timestamptz not null,
  valid_to timestamptz,
  type text not null,
  options jsonb not null,
  interval_s integer not null,
  timeout_s real not null,
  regions text[] not null,
  failure_threshold integer not null,
  recovery_threshold integer not null,
  active boolean not null,
  primary key (monitor_id, version)
);
comment on table monitor_versions is 'Every version of every monitor with its time of validity: past slots and thresholds can be computed from it.';
comment on column monitor_versions.valid_to is 'Null for the newest version.';
comment on column monitor_versions.active is 'False while paused or archived: such a version has no slots.';

create table incidents (
  id bigint generated always as identity primary key,
  monitor_id bigint not null references monitors,
  started_at timestamptz not null,
  confirmed_at timestamptz not null,
  ended_at timestamptz,
  reason text not null,
  message text not null,
  region text not null,
  evidence jsonb not null default '{}',
  closed_by text check (closed_by in ('recovery', 'pause', 'deletion'))
);
comment on table incidents is 'One row an unbroken down period, with its cause and evidence.';
comment on column incidents.started_at is 'Slot of the first failed check; confirmed_at is the slot that reached the failure threshold.';
comment on column incidents.ended_at is 'Slot of the first good check of the recovery; null while the monitor is down.';
create unique index incidents_open on incidents (monitor_id) where ended_at is null;
create index incidents_monitor on incidents (monitor_id, started_at desc);
create index incidents_started on incidents (started_at desc);

create table transitions (
  id bigint generated always as identity primary key,
  monitor_id bigint not null references monitors,
  at timestamptz not null,
  confirmed_at timestamptz not null,
  from_status monitor_status,
  to_status monitor_status not null,
  reason text,
  message text,
  incident_id bigint references incidents
);
comment on table transitions is 'Every change of a monitor''s status. Uptime is computed from these rows alone, weighted by time.';
comment on column transitions.at is 'When the status began: the slot of the first check that showed it.';
comment on column transitions.confirmed_at is 'When it was sure: the slot that reached the threshold.';
create index transitions_monitor on transitions (monitor_id, at desc, id desc);
create index transitions_at on transitions (at desc);

create table monitor_states (
  monitor_id bigint primary key references monitors,
  status monitor_status not null,
  since timestamptz not null,
  version integer not null,
  last_slot timestamptz,
  failures integer not null default 0,
  successes integer not null default 0,
  unknowns integer not null default 0,
  streak_since timestamptz,
  reason text,
  message text,
  latency_ms real,
  incident_id bigint references incidents
) with (fillfactor = 70);
comment on table monitor_states is 'What each monitor is now: the state of the state machine (pinguin/model.py), written with the results in one transaction.';
comment on column monitor_states.last_slot is 'The newest slot of this version that counted; a result of an older one changes nothing.';
comment on column monitor_states.failures is 'Failed checks in a row, up to the last slot; successes and unknowns likewise.';
comment on column monitor_states.streak_since is 'Slot of the first check of the streak that is not confirmed yet.';
comment on column monitor_states.incident_id is 'The open incident.';
create index monitor_states_status on monitor_states (status);

create function monitor_definition_changed(old monitors, new monitors) returns boolean
language sql immutable
return (old.type, old.options, old.interval_s, old.timeout_s, old.regions, old.failure_threshold,
        old.recovery_threshold, old.enabled, old.archived_at)
  is distinct from
       (new.type, new.options, new.interval_s, new.timeout_s, new.regions, new.failure_threshold,
        new.recovery_threshold, new.enabled, new.archived_at);

create function monitors_before_update() returns trigger language plpgsql as $$
begin
  new.version := old.version + monitor_definition_changed(old, new)::integer;
  new.updated_at := now();
  return new;
end $$;
create trigger before_update before update on monitors for each row execute function monitors_before_update();

create function monitors_after_write() returns trigger language plpgsql as $$
declare
  active constant boolean := new.enabled and new.archived_at is null;
  was_active boolean;
  state monitor_states;
begin
  if tg_op = 'UPDATE' then
    if new.version = old.version then
      return null;
    end if;
    was_active := old.enabled and old.archived_at is null;
    update monitor_versions set valid_to = now() where monitor_id = new.id and valid_to is null;
  end if;
  insert into monitor_versions values (
    new.id, new.version, now(), null, new.type, new.options, new.interval_s, new.timeout_s, new.regions,
    new.failure_threshold, new.recovery_threshold, active);

  select * into state from monitor_states where monitor_id = new.id for update;
  if active and was_active then  -- an edit: what was counted under the old version does not count under the new one
    update monitor_states
    set version = new.version, last_slot = null, failures = 0, successes = 0, unknowns = 0, streak_since = null
    where monitor_id = new.id;
    return null;
  end if;
  if state.incident_id is not null then
    update incidents
    set ended_at = greatest(now(), started_at),
      closed_by = case when new.archived_at is null then 'pause' else 'deletion' end
    where id = state.incident_id;
  end if;
  insert into transitions (monitor_id, at, confirmed_at, from_status, to_status, incident_id)
  select new.id, now(), now(), state.status, wanted, state.incident_id
  from (select case when active then 'pending' else 'paused' end::monitor_status) as target (wanted)
  where state.status is distinct from wanted;
  insert into monitor_states (monitor_id, status, since, version)
  values (new.id, case when active then 'pending' else 'paused' end::monitor_status, now(), new.version)
  on conflict (monitor_id) do update set
    status = excluded.status, since = excluded.since, version = excluded.version, last_slot = null, failures = 0,
    successes = 0, unknowns = 0, streak_since = null, reason = null, message = null, latency_ms = null, incident_id = null;
  return null;
end $$;
create trigger after_write after insert or update on monitors for each row execute function monitors_after_write();

create function expected_slots(window_start timestamptz, window_end timestamptz)
returns table (monitor_id bigint, region text, scheduled_at timestamptz, version integer)
language sql stable parallel safe as $$
  select v.monitor_id, region, to_timestamp(slot), v.version
  from monitor_versions v
  cross join lateral (select
    slot_phase(v.monitor_id, v.interval_s) as phase,
    extract(epoch from greatest(v.valid_from, window_start)) as earliest,
    extract(epoch from least(coalesce(v.valid_to, window_end), window_end)) as latest) b
  cross join lateral generate_series(
    (ceil((b.earliest - b.phase) / v.interval_s) * v.interval_s + b.phase)::bigint,
    (ceil(b.latest) - 1)::bigint,
    v.interval_s) slot
  cross join unnest(v.regions) region
  where v.active and v.valid_from < window_end and coalesce(v.valid_to, 'infinity') > window_start
$$;
comment on function expected_slots is
  'Every slot that was due in [window_start, window_end), by the versions then valid: without a result, a missing one is a fact.';
