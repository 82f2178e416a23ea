-- What pages read, at ten thousand monitors with a year behind them.

-- A year of days lies in five chunks from now on, not in 37: the planner opens each, which took longer than to read them.
-- Days come into the columnstore once their chunk is over; until then 10,000 monitors take some 500 MB, a third of their
-- hours.
select set_chunk_time_interval('results_daily', interval '90 days');

-- Every page asks it, so it is planned once; and planners are told how few it finds, where they believed in all monitors.
create or replace function monitors_in_maintenance(at timestamptz) returns table (monitor_id bigint)
language plpgsql stable parallel safe rows 100 set plan_cache_mode = force_generic_plan as $$
begin
  return query
  select m.id from monitors m
  where m.archived_at is null
    and exists (select from maintenance_windows w where w.during @> at and w.everything)
  union
  select unnest(w.monitor_ids) from maintenance_windows w where w.during @> at and not w.everything
  union
  select m.id from maintenance_windows w join monitors m on m.tags && w.tags and m.archived_at is null
  where w.during @> at and not w.everything and not w.settled and w.tags <> '{}';
end $$;

-- Whom maintenance of the day was for is found by index, where all monitors were looked through.
create or replace function uptime_ranks(as_of timestamptz) returns table (monitor_id bigint, uptime double precision)
language sql stable parallel safe as $$
  with changes as materialized (
    select t.monitor_id, t.at, t.from_status, t.to_status,
      row_number() over w as place, lead(t.at, 1, as_of) over w as until
    from transitions t
    where t.at > as_of - interval '24 hours' and t.at < as_of
    window w as (partition by t.monitor_id order by t.at, t.id)
  ), spent as (
    select c.monitor_id, c.to_status as status, extract(epoch from c.until - c.at) as seconds from changes c
    union all
    select c.monitor_id, c.from_status, extract(epoch from c.at - (as_of - interval '24 hours'))
    from changes c where c.place = 1
  ), scopes as materialized (
    select distinct w.everything, w.settled, w.tags, w.monitor_ids
    from maintenance_windows w
    where w.during && tstzrange(as_of - interval '24 hours', as_of) and w.counts = 'excluded'
  ), maintained as materialized (
    select m.id as monitor_id from monitors m
    where m.archived_at is null and exists (select from scopes s where s.everything)
    union
    select unnest(s.monitor_ids) from scopes s where not s.everything
    union
    select m.id from scopes s join monitors m on m.tags && s.tags and m.archived_at is null
    where not s.everything and not s.settled and s.tags <> '{}'
  )
  select s.monitor_id, (sum(s.seconds) filter (where s.status in ('up', 'degraded'))
    / nullif(sum(s.seconds) filter (where s.status in ('up', 'degraded', 'down')), 0))::double precision
  from spent s
  where s.monitor_id not in (select m.monitor_id from maintained m)
  group by s.monitor_id
  union all
  select u.monitor_id, u.uptime
  from uptime(array(select m.monitor_id from maintained m), as_of - interval '24 hours', as_of) u
$$;

-- The few open incidents that somebody takes care of, to put the others first.
create index incidents_acknowledged on incidents (id) where ended_at is null and acknowledged_at is not null;

-- What the page of a monitor asks of its transitions is planned once: planners took three times as long as the answer.
create function monitor_spent(monitor bigint, since timestamptz[], until timestamptz[])
returns table (
  place bigint, up_s double precision, down_s double precision, maintenance_s double precision,
  other_s double precision, known boolean)
language plpgsql stable parallel safe set plan_cache_mode = force_generic_plan as $$
begin
  return query
  select w.place, coalesce(sum(s.seconds) filter (where s.status in ('up', 'degraded')), 0),
    coalesce(sum(s.seconds) filter (where s.status = 'down'), 0),
    coalesce(sum(s.seconds) filter (where s.status = 'maintenance'), 0),
    coalesce(sum(s.seconds) filter (where s.status in ('unknown', 'pending', 'paused')), 0), count(s.status) > 0
  from unnest(since, until) with ordinality w (starts, ends, place)
  left join lateral status_seconds(array[monitor], w.starts, w.ends) s on true
  group by w.place;
end $$;
comment on function monitor_spent is
  'Where the time of windows went, in seconds by the policy of uptime(), window by window. known: whether anything is known of it.';

create function monitor_days(monitor bigint, zone text, days integer, until timestamptz)
returns table (
  day date, uptime double precision, up_s double precision, down_s double precision, incidents bigint,
  incident_id bigint, reason text, message text, seconds double precision)
language plpgsql stable parallel safe set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
  return query
  with bounds as (
    select last - (days - 1) as first, last,
      (last - (days - 1))::timestamp at time zone zone as starts
    from (select (until at time zone zone)::date as last) today
  ), changes as (
    select t.to_status as status, greatest(t.at, b.starts) as starts,
      least(lead(t.at, 1, 'infinity') over (order by t.at, t.id), until) as ends
    from bounds b
    cross join lateral (
      (select at, id, to_status from transitions
        where monitor_id = monitor and at <= b.starts order by at desc, id desc limit 1)
      union all
      select at, id, to_status from transitions
      where monitor_id = monitor and at > b.starts and at < until) t
  ), kept as (
    select status = 'down' as down, range_agg(tstzrange(starts, ends)) - coalesce((
        select windows from bounds b, monitor_windows(array[monitor], b.starts, until)),
      '{}') as spans
    from changes
    where starts < ends and status in ('up', 'degraded', 'down')
    group by 1
  ), pieces as (
    select down, day::date as day, least(upper(span), (day + interval '1 day') at time zone zone)
      - greatest(lower(span), day at time zone zone) as length
    from kept
    cross join unnest(spans) span
    cross join lateral generate_series(date_trunc('day', lower(span) at time zone zone),
      upper(span) at time zone zone, interval '1 day') day
  ), spent as (
    select day, coalesce(sum(extract(epoch from length)) filter (where not down), 0)::double precision as up_s,
      coalesce(sum(extract(epoch from length)) filter (where down), 0)::double precision as down_s
    from pieces
    where length > interval '0'
    group by day
  ), cases as (
    select day::date as day, i.id, i.reason, i.message, least(coalesce(i.ended_at, until), (day + interval '1 day') at time zone zone)
      - greatest(i.started_at, day at time zone zone) as length
    from bounds b
    join incidents i on i.monitor_id = monitor and i.started_at < until
      and coalesce(i.ended_at, 'infinity') > b.starts
    cross join lateral generate_series(date_trunc('day', greatest(i.started_at, b.starts) at time zone zone),
      least(coalesce(i.ended_at, until), until) at time zone zone, interval '1 day') day
  ), worst as (
    select distinct on (day) day, id, reason, message, extract(epoch from length)::double precision as seconds,
      count(*) over (partition by day) as incidents
    from cases
    where length > interval '0'
    order by day, length desc, id
  )
  select each.day::date as day, s.up_s / nullif(s.up_s + s.down_s, 0) as uptime, coalesce(s.up_s, 0) as up_s,
    coalesce(s.down_s, 0) as down_s, coalesce(w.incidents, 0) as incidents, w.id as incident_id, w.reason, w.message,
    w.seconds
  from bounds b
  cross join lateral generate_series(b.first, b.last, interval '1 day') each (day)
  left join spent s on s.day = each.day::date
  left join worst w on w.day = each.day::date
  order by each.day;
end $$;
comment on function monitor_days is
  'Uptime by calendar day of a zone, the last one that of `until`, by the policy of uptime(): what is up and down, less the maintenance that uptime leaves out, cut at the midnights of the zone. And the incidents of each day, with the one that took most of it.';
