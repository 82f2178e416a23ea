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
create index incidents_acknowledged on incidents (monitor_id) where ended_at is null and acknowledged_at is not null;
