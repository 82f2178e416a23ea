-- Maintenance: rules, the windows that they make, and what windows do to status and uptime.

create table maintenances (
  id bigint generated always as identity primary key,
  title text not null check (length(title) between 1 and 200),
  description text not null default '' check (length(description) <= 5000),
  enabled boolean not null default true,
  rule jsonb not null check (jsonb_typeof(rule) = 'object'),
  zone text not null,
  counts text not null default 'excluded' check (counts in ('excluded', 'as_measured')),
  everything boolean not null default false,
  tags text[] not null default '{}',
  monitor_ids bigint[] not null default '{}',
  planned_until timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default clock_timestamp(),
  archived_at timestamptz
);
create index maintenances_live on maintenances (id) where archived_at is null;
comment on table maintenances is
  'When work on monitored things is planned: checks go on, alerts wait. Deleted ones are archived: their past windows stay.';
comment on column maintenances.rule is
  'kind (once, weekly, monthly, monthly_weekday, cron, manual) and its fields, as pinguin/maintenance.py reads them.';
comment on column maintenances.zone is 'The time zone of the rule''s wall-clock times, such as Europe/Berlin.';
comment on column maintenances.counts is
  'excluded: uptime leaves the windows out; as_measured: uptime counts them like any other time.';
comment on column maintenances.everything is 'It is for every monitor, and tags and monitor_ids mean nothing.';
comment on column maintenances.tags is 'It is for the monitors that have one of these tags, and for those of monitor_ids.';
comment on column maintenances.planned_until is 'What of the rule starts before this is written down in maintenance_windows.';

create table maintenance_windows (
  id bigint generated always as identity primary key,
  maintenance_id bigint not null references maintenances,
  starts_at timestamptz not null,
  ends_at timestamptz not null check (ends_at > starts_at),
  during tstzrange not null generated always as (tstzrange(starts_at, ends_at)) stored,
  by_hand boolean not null default false,
  counts text not null check (counts in ('excluded', 'as_measured')),
  everything boolean not null,
  tags text[] not null,
  monitor_ids bigint[] not null,
  settled boolean not null default false
);
create index maintenance_windows_during on maintenance_windows using gist (during);
create index maintenance_windows_ends on maintenance_windows (ends_at);
create index maintenance_windows_unsettled on maintenance_windows (ends_at) where not settled;
create index maintenance_windows_maintenance on maintenance_windows (maintenance_id, starts_at);
comment on table maintenance_windows is
  'Each window of maintenance: past ones as they were, and what is planned for the next 35 days. Whom it is for is kept with it, so that a later edit does not change the past.';
comment on column maintenance_windows.ends_at is 'The first moment after it.';
comment on column maintenance_windows.by_hand is 'Somebody started it; the rule did not.';
comment on column maintenance_windows.settled is
  'It is over, and monitor_ids names all that had its tags at its end: tags given later do not change the past.';

-- One plan for all: senders ask for every alert, and planning takes longer than looking.
create function maintenance_until(monitor_id bigint, at timestamptz) returns timestamptz
language plpgsql stable parallel safe set plan_cache_mode = force_generic_plan as $$
declare
  reached timestamptz := at;
  further timestamptz;
begin
  loop
    select max(w.ends_at) into further
    from maintenance_windows w
    where w.during @> reached
      and (w.everything or maintenance_until.monitor_id = any(w.monitor_ids)
        or not w.settled and w.tags <> '{}' and exists (
          select from monitors m where m.id = maintenance_until.monitor_id and m.tags && w.tags));
    exit when further is null;
    reached := further;
  end loop;
  return nullif(reached, at);
end $$;
comment on function maintenance_until is
  'The end of the maintenance that the monitor is in at that time, windows that overlap or touch taken as one; null where it is in none.';

create function monitors_in_maintenance(at timestamptz) returns table (monitor_id bigint)
language sql stable parallel safe as $$
  select m.id from monitors m
  where exists (select from maintenance_windows w where w.during @> at and w.everything)
  union
  select unnest(w.monitor_ids) from maintenance_windows w where w.during @> at and not w.everything
  union
  select m.id from maintenance_windows w join monitors m on m.tags && w.tags
  where w.during @> at and not w.everything and not w.settled and w.tags <> '{}'
$$;
comment on function monitors_in_maintenance is 'Every monitor that is in a maintenance window at that time.';

create function shown_status(status monitor_status, in_maintenance boolean) returns monitor_status
language sql immutable parallel safe
return case when in_maintenance and status <> 'paused' then 'maintenance' else status end;
comment on function shown_status is
  'What people see. The state itself stays what the checks say, for they go on; nothing is checked while paused.';

create function monitor_windows(monitors bigint[], window_start timestamptz, window_end timestamptz)
returns table (monitor_id bigint, windows tstzmultirange)
language sql stable parallel safe as $$
  with scopes as materialized (  -- first by whom they are for: a daily window of a year is one row
    select w.everything, w.settled, w.tags, w.monitor_ids,
      range_agg(w.during * tstzrange(window_start, window_end)) as windows
    from maintenance_windows w
    where w.during && tstzrange(window_start, window_end) and w.counts = 'excluded'
    group by w.everything, w.settled, w.tags, w.monitor_ids
  ), covered as (
    select wanted.id, s.windows from scopes s cross join unnest(monitors) wanted (id) where s.everything
    union all
    select wanted.id, s.windows
    from scopes s cross join lateral unnest(s.monitor_ids) named (id) join unnest(monitors) wanted (id) using (id)
    where not s.everything
    union all
    select wanted.id, s.windows
    from scopes s join monitors m on m.tags && s.tags join unnest(monitors) wanted (id) using (id)
    where not s.everything and not s.settled and s.tags <> '{}'
  )
  select covered.id, range_agg(covered.windows) from covered group by covered.id
$$;
comment on function monitor_windows is
  'What of [window_start, window_end) uptime leaves out, for each of these monitors that has such maintenance.';

-- The policy of uptime: up and degraded are up; down is down; unknown, pending and paused are not monitored time and
-- count as neither. So does maintenance, whatever the status in it, unless its `counts` says as_measured: then it is
-- time like any other. A day wholly in maintenance has no uptime (null): it is neither 0 nor 50 nor 100 %.

create or replace function status_seconds(monitors bigint[], window_start timestamptz, window_end timestamptz)
returns table (monitor_id bigint, status monitor_status, seconds double precision)
language sql stable parallel safe as $$
  with changes as (
    select t.monitor_id, t.to_status as status, greatest(t.at, window_start) as starts,
      least(lead(t.at, 1, 'infinity') over (partition by t.monitor_id order by t.at, t.id), window_end, now()) as ends
    from unnest(monitors) wanted (id)
    cross join lateral (
      select * from (
        select * from transitions where monitor_id = wanted.id and at <= window_start
        order by at desc, id desc limit 1) before
      union all
      select * from transitions where monitor_id = wanted.id and at > window_start and at < window_end) t
  ), spent as (
    select c.monitor_id, c.status, w.windows, sum(extract(epoch from c.ends - c.starts)) as seconds,
      range_agg(tstzrange(c.starts, c.ends)) filter (where w.windows is not null) as spans
    from changes c
    left join monitor_windows(monitors, window_start, least(window_end, now())) w on w.monitor_id = c.monitor_id
    where c.starts < c.ends
    group by c.monitor_id, c.status, w.windows
  ), maintained as (
    select s.*, case when s.windows is not null then (
      select coalesce(sum(extract(epoch from upper(part) - lower(part))), 0) from unnest(s.windows * s.spans) part)
      else 0 end as maintained
    from spent s
  )
  select m.monitor_id, m.status, (m.seconds - m.maintained)::double precision
  from maintained m
  where m.seconds > m.maintained
  union all
  select m.monitor_id, 'maintenance', sum(m.maintained)::double precision
  from maintained m
  where m.maintained > 0
  group by m.monitor_id
$$;
comment on function status_seconds is
  'Seconds that each monitor spent in each status within the window (never beyond now). Maintenance that uptime leaves out is status maintenance, whatever the status was.';
