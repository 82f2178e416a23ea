-- A window that lies ahead has no maintenance to leave out, and is no error: its end, which is now at the latest, is
-- before its beginning, and no range goes that way.

create or replace function monitor_windows(monitors bigint[], window_start timestamptz, window_end timestamptz)
returns table (monitor_id bigint, windows tstzmultirange)
language sql stable parallel safe as $$
  with scopes as materialized (  -- first by whom they are for: a daily window of a year is one row
    select w.everything, w.settled, w.tags, w.monitor_ids,
      range_agg(w.during * tstzrange(window_start, greatest(window_start, window_end))) as windows
    from maintenance_windows w
    where w.during && tstzrange(window_start, greatest(window_start, window_end)) and w.counts = 'excluded'
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
