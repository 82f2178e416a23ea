"""The statements with which `bench.pages_data` writes the past.

Of every ten monitors one is down; of fifty one is degraded and one unknown; of forty one is paused.
"""

from __future__ import annotations

from typing import LiteralString

_STATUS: LiteralString = """
case when n % 40 = 5 then 'paused' when n % 10 = 3 then 'down' when n % 50 = 1 then 'degraded'
  when n % 50 = 2 then 'unknown' else 'up' end::monitor_status
""".replace("%", "%%")

DEFINITIONS: tuple[LiteralString, ...] = (
    """
    insert into monitors (name, type, target, options, tags, interval_s, enabled, created_at, updated_at)
    select format('%%s %%s', (array['Checkout', 'Search', 'Orders', 'Mail', 'Sign-in', 'Stock'])[1 + n %% 6],
        lpad(n::text, 5, '0')), (array['http', 'http', 'tcp', 'dns'])[1 + n %% 4],
      format('https://host-%%s.example.com/', n), jsonb_build_object('url', format('https://host-%%s.example.com/', n)),
      array['team ' || n %% 12, 'rack ' || n %% 40, case when n %% 3 = 0 then 'staging' else 'production' end],
      60, n %% 40 <> 5, now() - interval '400 days', now() - interval '40 days'
    from generate_series(1, %(monitors)s::int) n
    """,
    """
    update monitors set type = case id when 4 then 'http' else 'dns' end,
      options = case id when 4 then options else jsonb_build_object('name', format('host-%%s.example.com', id)) end
    where type = 'dns' and %(monitors)s > 0
    """,
    """
    update monitors set options = jsonb_build_object('host', format('host-%%s.example.com', id), 'port', 443)
    where type = 'tcp' and %(monitors)s > 0
    """,
    """
    insert into monitor_versions
    select id, version, created_at, null, type, options, interval_s, timeout_s, regions, failure_threshold,
      recovery_threshold, enabled
    from monitors where %(monitors)s > 0
    """,
    # Outages that are over: three of the last month and two of the year, 2 to 61 minutes long.
    """
    insert into incidents (monitor_id, started_at, confirmed_at, ended_at, reason, message, region, evidence, closed_by)
    select n, at, at + interval '60 s', at + make_interval(mins => 2 + (n * 13 + k * 7) %% 60),
      (array['timeout', 'refused', 'status', 'tls'])[1 + (n + k) %% 4],
      (array['no answer within 10 s', 'connection refused', 'status 503 is not in 200-299', 'the handshake failed'])[
        1 + (n + k) %% 4], 'local', '{"address": "203.0.113.7", "status": 503}', 'recovery'
    from generate_series(1, %(monitors)s::int) n, generate_series(1, 5) k
    cross join lateral (select date_trunc('second', now()) - make_interval(
      hours => case when k < 4 then 72 + k * 160 + (n * 31) %% 150 else 800 + k * 1200 + (n * 57) %% 1000 end,
      secs => n %% 3600) as at) moment
    order by at
    """,
    f"""
    insert into incidents (monitor_id, started_at, confirmed_at, reason, message, region, evidence)
    select n, at, at + interval '60 s', 'status', 'status 502 is not in 200-299', 'local', '{{"status": 502}}'
    from generate_series(1, %(monitors)s::int) n
    cross join lateral (select date_trunc('second', now()) - make_interval(secs => 300 + (n * 7919) %% 200000) as at) m
    where {_STATUS} = 'down'
    order by at
    """,
    """
    insert into incident_events (incident_id, at, kind, text)
    select id, at, kind, message
    from incidents cross join lateral (values
      (started_at, 'failed'), (confirmed_at, 'confirmed'), (ended_at, 'recovered')) e (at, kind)
    where at is not null and %(monitors)s > 0
    order by at
    """,
    f"""
    insert into transitions (monitor_id, at, confirmed_at, from_status, to_status, reason, message, incident_id)
    select * from (
      select n as monitor_id, now() - interval '400 days' as at, now() - interval '400 days', 'pending'::monitor_status,
        'up'::monitor_status, null::text, null::text, null::bigint
      from generate_series(1, %(monitors)s::int) n
      union all
      select monitor_id, started_at, confirmed_at, 'up', 'down', reason, message, id from incidents
      union all
      select monitor_id, ended_at, ended_at, 'down', 'up', null, null, id from incidents where ended_at is not null
      union all
      select n, at, at, 'up', {_STATUS}, 'slow', 'took 2.84 s, more than 1.5 s', null
      from generate_series(1, %(monitors)s::int) n
      cross join lateral (select now() - make_interval(mins => 20 + n %% 3000) as at) m
      where {_STATUS} in ('degraded', 'unknown', 'paused')
    ) t
    order by at
    """,
    f"""
    insert into monitor_states (monitor_id, status, since, version, reason, message, incident_id)
    select n, {_STATUS}, coalesce(i.started_at, l.at), 1,
      case {_STATUS} when 'down' then 'status' when 'degraded' then 'slow'
        when 'unknown' then (array['quiet', 'internal'])[1 + n / 50 %% 2] end,
      case {_STATUS} when 'down' then 'status 502 is not in 200-299' when 'degraded' then 'took 2.84 s, more than 1.5 s'
        when 'unknown' then 'no result since 2026-01-01 00:00:00 UTC' end, i.id
    from generate_series(1, %(monitors)s::int) n
    left join incidents i on i.monitor_id = n and i.ended_at is null
    cross join lateral (
      select at from transitions where monitor_id = n order by at desc, id desc limit 1) l
    """,
    """
    insert into monitor_expiries (monitor_id, kind, expires_at, subject)
    select n, case when n %% 9 = 0 then 'domain' else 'certificate' end,
      now() + make_interval(hours => 12 + (n * 37) %% 2000), format('host-%%s.example.com', n)
    from generate_series(1, %(monitors)s::int) n
    """,
    """
    insert into slow_spells (monitor_id, started_at, percentile, window_s, above_ms, value_ms)
    select n, now() - make_interval(mins => n), 95, 900, 300, 300 + n * 3
    from generate_series(7, least(%(monitors)s::int, 200), 10) n
    """,
)

RAW: LiteralString = f"""
insert into results (monitor_id, scheduled_at, region, version, status, reason, message, latency_ms, dns_ms, connect_ms,
  tls_ms, first_byte_ms, transfer_ms, started_at, recorded_at, evidence)
select n, at, 'local', 1, status, case when status = 'down' then 'status' when status = 'degraded' then 'slow' end,
  case when status = 'down' then 'status 502 is not in 200-299' when status = 'degraded' then 'took 2.84 s' end, ms,
  ms * 0.1, ms * 0.15, ms * 0.2, ms * 0.45, ms * 0.1, at, at + interval '50 ms',
  jsonb_build_object('address', '203.0.113.7', 'status', 200)
from generate_series(%(first)s::int, %(last)s::int) n
cross join generate_series(%(origin)s::timestamptz, %(ending)s::timestamptz - interval '1 s', '60 s') minute
cross join lateral (select minute + make_interval(secs => slot_phase(n, 60)) as at) slot
cross join lateral (select case when at >= now() - make_interval(secs => 300 + (n * 7919) %% 200000)
  then {_STATUS} else 'up' end as shown) s
cross join lateral (select case when shown = 'down' then 'down' when shown = 'degraded' then 'degraded' else 'up'
  end::monitor_status as status) r
cross join lateral (
  select (20 + n %% 300) * (0.8 + 0.2 * sin(extract(epoch from at) / 13750) + 0.3 * random()) as wave) w
cross join lateral (select case when status = 'up' then wave when status = 'degraded' then 2840 end::real as ms) l
where at < now() and {_STATUS} <> 'paused'
order by minute, n
on conflict do nothing
"""

LAST_RESULTS: LiteralString = """
update monitor_states s set last_slot = r.scheduled_at, latency_ms = r.latency_ms
from (select distinct on (monitor_id) monitor_id, scheduled_at, latency_ms from results
  order by monitor_id, scheduled_at desc) r
where r.monitor_id = s.monitor_id
"""

MATERIALISED: LiteralString = """
select format('%%I.%%I', c.materialization_hypertable_schema, c.materialization_hypertable_name), h.id, d.time_interval
from timescaledb_information.continuous_aggregates c
join _timescaledb_catalog.hypertable h on h.table_name = c.materialization_hypertable_name
join timescaledb_information.dimensions d on d.hypertable_name = c.materialization_hypertable_name
where c.view_name = %(view)s
"""

_SHAPES: LiteralString = """
with shapes as materialized (
  select model, hour, top, array(
    select case abs(bin - top) when 0 then 30 when 1 then 12 when 2 then 3 else 0 end{kind}
    from generate_series(1, 242) bin) as bins
  from generate_series(1, %(models)s::int) model, generate_series(0, 23) hour
  cross join lateral (select 85 + (model * 7 + hour * (model %% 3)) %% 60 as top) t
)
"""

_ROLLUP: LiteralString = """
insert into {{table}} (monitor_id, region, bucket, checks, up, degraded, down, unknown, latency_count, latency_ms_sum,
  latency_ms_min, latency_ms_max, dns_ms_sum, connect_ms_sum, tls_ms_sum, first_byte_ms_sum, transfer_ms_sum,
  latency_histogram)
select n, 'local', bucket, 60 * {hours}, 59 * {hours}, 0, {hours}, 0, 59 * {hours}, ms * 59 * {hours}, ms * 0.7, ms * 4,
  ms * 5.9 * {hours}, ms * 8.85 * {hours}, ms * 11.8 * {hours}, ms * 26.55 * {hours}, ms * 5.9 * {hours}, bins
from generate_series(%(origin)s::timestamptz, %(ending)s::timestamptz - interval '1 s', '{step}') bucket
cross join generate_series(1, %(monitors)s::int) n
join shapes on model = 1 + (n - 1) %% %(models)s::int and hour = {turn}
cross join lateral (select exp(-2 + 14.0 / 240 * (top - 1.5)) as ms) m
order by bucket, n
"""

ROLLUPS: dict[str, str] = {
    "results_hourly": _SHAPES.format(kind="")
    + _ROLLUP.format(hours="1", step="1 hour", turn="extract(hour from bucket)"),
    "results_daily": _SHAPES.format(kind="::bigint")
    + _ROLLUP.format(hours="24", step="1 day", turn="extract(day from bucket)::int %% 24"),
}
"""By view; `table` is filled in. Roll-ups of one latency an hour, in five bins."""

CHUNKS: LiteralString = """
select format('%%I.%%I', chunk_schema, chunk_name) from timescaledb_information.chunks
where hypertable_name = split_part(replace(%(table)s, '"', ''), '.', -1) and not is_compressed
  and range_end < %(before)s
order by range_start
"""

BATCHES: LiteralString = """
select format('%%I.%%I', below.schema_name, below.table_name)
from timescaledb_information.chunks i
join _timescaledb_catalog.chunk c on (c.schema_name, c.table_name) = (i.chunk_schema, i.chunk_name)
join _timescaledb_catalog.chunk below on below.id = c.compressed_chunk_id
where i.hypertable_name = split_part(replace(%(table)s, '"', ''), '.', -1)
  and i.range_start <= %(within)s and i.range_end > %(within)s
"""

COLUMNS: LiteralString = """
select attname from pg_attribute
where attrelid = %(batches)s::regclass and attnum > 0 and not attisdropped order by attnum
"""

COPY: LiteralString = """
insert into {batches} (monitor_id, {names})
select n, {names}
from generate_series(%(models)s + 1, %(monitors)s::int) n join {batches} on monitor_id = 1 + (n - 1) %% %(models)s
"""

WATERMARK: LiteralString = """
insert into _timescaledb_catalog.continuous_aggs_watermark (mat_hypertable_id, watermark)
values (%(number)s, %(watermark)s)
on conflict (mat_hypertable_id) do update set watermark = excluded.watermark
"""

AROUND: tuple[LiteralString, ...] = (
    """
    insert into channels (name, kind, options, is_default, broken_at, broken_reason)
    select 'Channel ' || n, 'webhook', '{"url": "https://hooks.example.com/"}', n = 1,
      case when n = 4 then now() - interval '3 hours' end, case when n = 4 then 'refused: 410 gone' end
    from generate_series(1, 8) n
    """,
    "insert into channel_groups (name, channel_ids) values ('On call', '{1, 2}')",
    """
    insert into messages (channel_id, status, attempts, created_at, ended_at, subject)
    select 1 + n % 3, 'sent', 1, at, at + interval '1 s', 'Down: something'
    from generate_series(1, 5000) n, lateral (select now() - make_interval(mins => 5000 - n) as at) t
    """,
    """
    insert into attempts (message_id, at, latency_ms, outcome, answer)
    select id, created_at, 120, 'delivered', '200 OK' from messages
    """,
    """
    insert into notifications (key, channel_id, monitor_id, incident_id, kind, at, due_at, status, message_id, told_at)
    select 'bench:' || i.id, 1 + m.id % 3, i.monitor_id, i.id, 'down', i.started_at, i.started_at, 'sent', m.id,
      i.confirmed_at
    from (select *, row_number() over (order by id desc) as place from incidents) i join messages m on m.id = i.place
    """,
    """
    insert into pipeline_incidents (code, region, started_at, ended_at, message)
    select 'queue_late', 'local', at, case when n > 1 then at + interval '10 min' end, 'jobs wait for 20 s'
    from generate_series(1, 40) n, lateral (select now() - make_interval(hours => n * 5) as at) t
    """,
    """
    insert into audit (at, actor, user_id, action, object_kind, object_id, object_name, changes)
    select now() - make_interval(mins => 20000 - n), 'ada', 1, 'monitor.edit', 'monitor', 1 + n % 100, 'Checkout',
      '{"name": {"from": "a", "to": "b"}}'
    from generate_series(1, 20000) n
    """,
)
