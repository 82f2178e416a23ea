-- Push monitors: jobs that ping when they have run. They are passive: nothing is dispatched, no slots are expected.

alter table monitors add column passive boolean not null default false;
comment on column monitors.passive is 'Waits to be pinged: never dispatched, no slots; its silence is judged by push_states.';

create table push_tokens (
  monitor_id bigint primary key references monitors on delete cascade,
  token uuid not null unique default gen_random_uuid(),
  created_at timestamptz not null default now()
);
comment on table push_tokens is 'The secret in a push monitor''s address. A new one takes the place of the old.';

create table push_states (
  monitor_id bigint primary key references monitors on delete cascade,
  version integer,
  base_at timestamptz not null,
  changed_at timestamptz not null,
  expected_at timestamptz,
  deadline timestamptz,
  started_at timestamptz,
  last_at timestamptz,
  last_ping timestamptz,
  last_start timestamptz,
  result_at timestamptz,
  runs jsonb not null default '[]',
  look_at timestamptz
) with (fillfactor = 70);
create index push_states_look_at on push_states (look_at);
create index push_states_unplanned on push_states (look_at) where version is null;
comment on table push_states is 'What each push monitor waits for (Watch in pinguin/push/). Locked before monitor_states, always.';
comment on column push_states.version is 'The monitor''s version for which the times were computed; another one, or null: they are still to be.';
comment on column push_states.base_at is 'What the schedule counts from: the last expected ping, or when the monitor was made or resumed.';
comment on column push_states.changed_at is 'When this version began: nothing is expected before.';
comment on column push_states.expected_at is 'When the next ping is expected; with the grace behind it, that is the deadline.';
comment on column push_states.deadline is 'When a missing ping is an outage. A run that has started puts it off.';
comment on column push_states.started_at is 'The first start since the last end.';
comment on column push_states.last_at is 'The newest ping of any kind; last_ping: the newest success or failure; last_start: the newest start.';
comment on column push_states.result_at is 'The newest result.';
comment on column push_states.runs is 'Runs that have not ended: [run id or "", start, whether it was told that they take too long].';
comment on column push_states.look_at is 'When there is something to judge next; null: nothing to wait for. The leader looks every second.';

create table pings (
  monitor_id bigint not null,
  at timestamptz not null,
  id uuid not null,
  kind text not null check (kind in ('start', 'success', 'fail', 'log', 'exit', 'ignored')),
  exit_code smallint,
  run_id uuid,
  duration_ms double precision,
  method text not null,
  remote text,
  user_agent text not null,
  body text not null,
  primary key (monitor_id, at)
);
comment on table pings is 'Every ping, as long as raw results are kept. No two of a monitor have the same time.';
comment on column pings.at is 'When it came.';
comment on column pings.id is 'Tells a ping that was written twice from a second ping.';
comment on column pings.kind is 'What it was taken for. exit: by exit_code. ignored: the monitor''s options, or its pause, say so.';
comment on column pings.run_id is 'The rid that the job gave.';
comment on column pings.duration_ms is 'Milliseconds from the start of the run that this ping ended.';
comment on column pings.body is 'The first bytes of what the job sent (PINGUIN_PING_BODY_LIMIT), as text.';
select create_hypertable('pings', by_range('at', interval '7 days'), create_default_indexes => false);

create table push_watch (
  only_row boolean primary key default true check (only_row),
  since timestamptz not null,
  seen_at timestamptz not null
);
comment on table push_watch is
  'When pings could be taken: from since to seen_at without a break. A deadline before since is judged a grace later.';

-- A monitor that is made, edited, paused or deleted in psql is as good as one of the page: its times are computed by
-- whoever looks next. Before the update, so that push_states is locked before monitor_states.
create function monitors_push() returns trigger language plpgsql as $$
declare
  active constant boolean := new.passive and new.enabled and new.archived_at is null;
  resumed boolean := active;
begin
  if tg_op = 'UPDATE' then
    if new.version = old.version then
      return new;
    end if;
    resumed := active and not (old.passive and old.enabled and old.archived_at is null);
  end if;
  if not new.passive then
    delete from push_states where monitor_id = new.id;
    return new;
  end if;
  insert into push_tokens (monitor_id) values (new.id) on conflict do nothing;
  insert into push_states as s (monitor_id, base_at, changed_at, look_at)
  values (new.id, now(), now(), case when active then now() end)
  on conflict (monitor_id) do update set
    version = null, changed_at = excluded.changed_at, look_at = excluded.look_at,
    base_at = case when resumed then excluded.base_at else s.base_at end,
    started_at = case when resumed then null else s.started_at end,
    runs = case when resumed then '[]' else s.runs end;
  return new;
end $$;
create trigger after_insert_push after insert on monitors for each row when (new.passive) execute function monitors_push();
create trigger before_update_push before update on monitors for each row
  when (new.passive or old.passive) execute function monitors_push();

create function monitor_versions_passive() returns trigger language plpgsql as $$
begin
  new.active := new.active and not (select passive from monitors where id = new.monitor_id);
  return new;
end $$;
create trigger before_insert_passive before insert on monitor_versions for each row execute function monitor_versions_passive();
comment on column monitor_versions.active is 'False while paused or archived, and for passive monitors: such a version has no slots.';
