-- Uptime, weighted by time. The policy: up and degraded are up; down is down; unknown, pending, paused and maintenance
-- are not monitored time and count as neither.

create function status_seconds(monitors bigint[], window_start timestamptz, window_end timestamptz)
returns table (monitor_id bigint, status monitor_status, seconds double precision)
language sql stable parallel safe as $$
  with spans as (
    select t.monitor_id, t.to_status as status, greatest(t.at, window_start) as starts,
      lead(t.at, 1, 'infinity') over (partition by t.monitor_id order by t.at, t.id) as ends
    from unnest(monitors) wanted (id)
    cross join lateral (
      select * from (
        select * from transitions where monitor_id = wanted.id and at <= window_start
        order by at desc, id desc limit 1) before
      union all
      select * from transitions where monitor_id = wanted.id and at > window_start and at < window_end) t
  )
  select monitor_id, status, sum(extract(epoch from least(ends, window_end, now()) - starts))::double precision
  from spans
  where starts < least(ends, window_end, now())
  group by monitor_id, status
$$;
comment on function status_seconds is 'Seconds that each monitor spent in each status within the window (never beyond now).';

create function uptime(monitors bigint[], window_start timestamptz, window_end timestamptz)
returns table (
  monitor_id bigint, uptime double precision, up_s double precision, down_s double precision,
  unmonitored_s double precision)
language sql stable parallel safe as $$
  select monitor_id, up_s / nullif(up_s + down_s, 0), up_s, down_s, unmonitored_s
  from (
    select monitor_id,
      coalesce(sum(seconds) filter (where status in ('up', 'degraded')), 0) as up_s,
      coalesce(sum(seconds) filter (where status = 'down'), 0) as down_s,
      coalesce(sum(seconds) filter (where status not in ('up', 'degraded', 'down')), 0) as unmonitored_s
    from status_seconds(monitors, window_start, window_end)
    group by monitor_id) totals
$$;
comment on function uptime is
  'Uptime (0 to 1, null where nothing was monitored) of each monitor within the window, weighted by time: up / (up + down).';
