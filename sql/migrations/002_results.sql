-- Results: one row a check, kept raw for months and as roll-ups for years.

create table results (
  monitor_id bigint not null,
  scheduled_at timestamptz not null,
  region text not null,
  version integer not null,
  status monitor_status not null check (status in ('up', 'degraded', 'down', 'unknown')),
  reason text,
  message text,
  latency_ms real check (latency_ms > 0),
  dns_ms real,
  connect_ms real,
  tls_ms real,
  first_byte_ms real,
  transfer_ms real,
  started_at timestamptz not null,
  recorded_at timestamptz not null,
  evidence jsonb not null,
  primary key (monitor_id, scheduled_at, region)
);
comment on table results is 'The outcome of every check. Raw rows are dropped after the retention time; results_hourly and results_daily stay.';
comment on column results.scheduled_at is 'The slot: when the check was due. With monitor and region it is the natural key, so a check that ran twice counts once.';
comment on column results.reason is 'Short code of a failure (timeout, refused, dns, tls, status, body, …); null when all is well.';
comment on column results.message is 'The same for people.';
comment on column results.latency_ms is 'Milliseconds from start to the complete answer; null where nothing answered.';
comment on column results.dns_ms is 'Milliseconds in the name look-up; connect, tls, first_byte and transfer follow, as far as the check came.';
comment on column results.started_at is 'When the worker began; minus scheduled_at it is the lateness.';
comment on column results.recorded_at is 'When the row was written.';
comment on column results.evidence is 'What was seen: address, status code, certificate, answers, …';
select create_hypertable('results', by_range('scheduled_at', interval '1 day'), create_default_indexes => false);
alter table results set (
  timescaledb.enable_columnstore, timescaledb.segmentby = 'monitor_id', timescaledb.orderby = 'scheduled_at desc, region');

-- Latency histograms: 240 bins of equal width between e^-2 (0.135 ms) and e^12 (163 s) of the logarithm, so each bin is
-- 6 % wide, plus one bin below and one above. Bins can be added over any window, tag or region; percentiles cannot.
create function histogram_add(sum bigint[], bins integer[]) returns bigint[]
language sql immutable parallel safe
return case
  when bins is null then sum
  when sum is null then bins::bigint[]
  else array(select a + b from unnest(sum, bins::bigint[]) as pair (a, b)) end;
create function histogram_add(sum bigint[], bins bigint[]) returns bigint[]
language sql immutable parallel safe
return case
  when bins is null then sum
  when sum is null then bins
  else array(select a + b from unnest(sum, bins) as pair (a, b)) end;
create aggregate histogram_sum(integer[]) (
  sfunc = histogram_add, stype = bigint[], combinefunc = histogram_add, parallel = safe);
create aggregate histogram_sum(bigint[]) (
  sfunc = histogram_add, stype = bigint[], combinefunc = histogram_add, parallel = safe);
comment on aggregate histogram_sum(bigint[]) is 'Adds latency histograms bin by bin.';

create function histogram_percentile(bins bigint[], fraction double precision) returns double precision
language plpgsql immutable strict parallel safe as $$
declare
  total bigint := 0;
  seen bigint := 0;
  wanted double precision;
begin
  for i in 1 .. cardinality(bins) loop
    total := total + bins[i];
  end loop;
  if total = 0 then
    return null;
  end if;
  wanted := fraction * total;
  for i in 1 .. cardinality(bins) loop
    if bins[i] > 0 and seen + bins[i] >= wanted then
      -- the middle of the bin: what is in it is no further away than 3 %, wherever in the bin it lies
      return exp(-2 + 14.0 / 240 * least(greatest(i - 1.5, 0), 240));
    end if;
    seen := seen + bins[i];
  end loop;
  return exp(12);
end $$;
comment on function histogram_percentile is
  'The latency in ms below which that fraction (0.5, 0.95, …) of a latency histogram lies; within 3 % of the exact value from 0.135 ms on (less reads as 0.135).';

create materialized view results_hourly with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
  monitor_id,
  region,
  time_bucket('1 hour', scheduled_at) as bucket,
  count(*) as checks,
  count(*) filter (where status = 'up') as up,
  count(*) filter (where status = 'degraded') as degraded,
  count(*) filter (where status = 'down') as down,
  count(*) filter (where status = 'unknown') as unknown,
  count(latency_ms) filter (where status in ('up', 'degraded')) as latency_count,
  sum(latency_ms::double precision) filter (where status in ('up', 'degraded')) as latency_ms_sum,
  min(latency_ms) filter (where status in ('up', 'degraded')) as latency_ms_min,
  max(latency_ms) filter (where status in ('up', 'degraded')) as latency_ms_max,
  sum(dns_ms::double precision) filter (where status in ('up', 'degraded')) as dns_ms_sum,
  sum(connect_ms::double precision) filter (where status in ('up', 'degraded')) as connect_ms_sum,
  sum(tls_ms::double precision) filter (where status in ('up', 'degraded')) as tls_ms_sum,
  sum(first_byte_ms::double precision) filter (where status in ('up', 'degraded')) as first_byte_ms_sum,
  sum(transfer_ms::double precision) filter (where status in ('up', 'degraded')) as transfer_ms_sum,
  histogram(ln(latency_ms::double precision), -2.0, 12.0, 240) filter (where status in ('up', 'degraded')) as latency_histogram
from results
group by monitor_id, region, bucket
with no data;
comment on view results_hourly is 'Results by hour (UTC), monitor and region: counts by status, latency of the good checks as sum, min, max and histogram.';

create materialized view results_daily with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
  monitor_id,
  region,
  time_bucket('1 day', bucket) as bucket,
  sum(checks) as checks,
  sum(up) as up,
  sum(degraded) as degraded,
  sum(down) as down,
  sum(unknown) as unknown,
  sum(latency_count) as latency_count,
  sum(latency_ms_sum) as latency_ms_sum,
  min(latency_ms_min) as latency_ms_min,
  max(latency_ms_max) as latency_ms_max,
  sum(dns_ms_sum) as dns_ms_sum,
  sum(connect_ms_sum) as connect_ms_sum,
  sum(tls_ms_sum) as tls_ms_sum,
  sum(first_byte_ms_sum) as first_byte_ms_sum,
  sum(transfer_ms_sum) as transfer_ms_sum,
  histogram_sum(latency_histogram) as latency_histogram
from results_hourly
group by monitor_id, region, time_bucket('1 day', bucket)
with no data;
comment on view results_daily is 'Results by day (UTC), monitor and region; made from results_hourly.';

alter materialized view results_hourly set (
  timescaledb.enable_columnstore, timescaledb.segmentby = 'monitor_id', timescaledb.orderby = 'bucket desc, region');
alter materialized view results_daily set (
  timescaledb.enable_columnstore, timescaledb.segmentby = 'monitor_id', timescaledb.orderby = 'bucket desc, region');

-- A refresh never reaches further back than raw results are kept: it would delete the roll-ups of what was dropped.
select add_continuous_aggregate_policy('results_hourly',
  start_offset => interval '3 days', end_offset => interval '1 hour', schedule_interval => interval '10 minutes');
select add_continuous_aggregate_policy('results_daily',
  start_offset => interval '7 days', end_offset => interval '1 day', schedule_interval => interval '1 hour');

create table job_runs (
  job_id integer primary key,
  last_run timestamptz not null,
  duration_ms real not null,
  error text
);
comment on table job_runs is
  'When the leader last ran each TimescaleDB job. Used on the embedded database only, which has no background workers.';
