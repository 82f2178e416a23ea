-- What one fault cost, as one row: the slots that were due in [start, end) against what is stored.
--
-- start, end       the window
-- connections      jsonb, monitor -> connections that the target accepted within the window
-- excuses          jsonb, list of {start, end, monitors}: slots in [start, end) of these monitors (null: all) may be lost
-- reruns           jobs that were handed out again because nobody finished them
-- overlaps         slots that dispatch passed over, and counted, because the job before was still leased
-- drops            these, and all others that were dropped and counted
-- story            what every monitor that was checked in the dark is to go through, such as {down,up}
-- dark_start, dark_end   the time in which every result says something else than up, and none outside of it
-- edge             how far off, in seconds, that time may be
with excuse as materialized (
  select * from jsonb_to_recordset(%(excuses)s) as e (start timestamptz, "end" timestamptz, monitors bigint[])
),
seen as (
  select s.monitor_id, s.region, s.scheduled_at, r.status, r.recorded_at,
    -- by the worker's clock, unless that is hours away
    case when r.started_at between s.scheduled_at and s.scheduled_at + interval '30 minutes'
      then r.started_at else r.scheduled_at end as started_at,
    exists (
      select from excuse e
      where s.scheduled_at >= e.start and s.scheduled_at < e."end"
        and (e.monitors is null or s.monitor_id = any(e.monitors))) as excused,
    r.status is null and m.interval_s = 1
      and lag(r.status) over one is not null and lead(r.status) over one is not null as alone
  from expected_slots(%(start)s, %(end)s) s
  join monitors m on m.id = s.monitor_id
  left join results r on (r.monitor_id, r.scheduled_at, r.region) = (s.monitor_id, s.scheduled_at, s.region)
  window one as (partition by s.monitor_id, s.region order by s.scheduled_at)
),
slot as materialized (
  select *,
    -- the only one of a monitor of one second, between two that were checked: what a commit of a second costs, no more.
    -- Where all monitors change at once, as the story has it, each of these commits writes an incident of every one.
    alone and not excused
      and count(*) filter (where status is null and not excused) over (partition by monitor_id, region)
        <= greatest(1, cardinality(%(story)s::text[])) as single
  from seen
),
counted as (
  select count(*) as expected, count(status) as stored,
    count(*) filter (where status is null and not excused) as lost,
    count(*) filter (where status is null and excused) as forgiven,
    count(*) filter (where single) as single,
    percentile_cont(0.99) within group (order by extract(epoch from started_at - scheduled_at)) as started_s,
    percentile_cont(0.99) within group (order by extract(epoch from recorded_at - scheduled_at)) as recorded_s,
    count(*) filter (where case
      when started_at between %(dark_start)s::timestamptz + %(edge)s and %(dark_end)s::timestamptz - %(edge)s then status = 'up'
      when started_at between %(dark_start)s::timestamptz - %(edge)s and %(dark_end)s::timestamptz + %(edge)s then false
      else status <> 'up' end) as wrong
  from slot
),
-- Runs beyond the results: some of them are the runs of slots that were lost, the others ran twice.
run as (
  select monitor_id, coalesce((%(connections)s::jsonb ->> monitor_id::text)::bigint, 0)
    - count(*) filter (where started_at >= %(start)s and started_at < %(end)s) as extra,
    count(*) filter (where status is null) as missing
  from slot group by monitor_id
),
twice as (
  select coalesce(sum(greatest(0, extra - missing)), 0)::bigint as reruns from run
),
change as (
  select t.id, t.monitor_id, t.at, t.confirmed_at, t.to_status, t.reason,
    -- true words about a gap that is excused: nothing was known from then until then
    t.to_status = 'unknown' and t.reason = 'quiet' and not exists (
      select from results r
      where r.monitor_id = t.monitor_id and r.scheduled_at >= t.at and r.scheduled_at < t.confirmed_at
        and r.recorded_at < t.confirmed_at)
    and exists (
      select from excuse e
      where t.at >= e.start and t.at < e."end" and (e.monitors is null or t.monitor_id = any(e.monitors))) as quiet
  from transitions t
  where t.at >= %(start)s and t.at < %(end)s
),
told as (
  select *, from_quiet and to_status = 'up' as back from (
    select *, coalesce(lag(quiet) over (partition by monitor_id order by id), false) as from_quiet from change) c
),
-- What is left must be the story, each change at the first slot that showed it.
history as (
  select m.id as monitor_id,
    coalesce(array_agg(t.to_status::text order by t.id) filter (where t.id is not null), '{}') as statuses,
    count(t.id) filter (where not exists (
      select from results r
      where (r.monitor_id, r.scheduled_at) = (t.monitor_id, t.at) and r.status = t.to_status and r.status is distinct from (
        select before.status from results before
        where before.monitor_id = t.monitor_id and before.scheduled_at < t.at
        order by before.scheduled_at desc limit 1))) as misplaced,
    exists (select from slot s where s.monitor_id = m.id and s.status <> 'up') as concerned
  from monitors m
  left join told t on t.monitor_id = m.id and not t.quiet and not t.back
  group by m.id
)
select expected, stored, lost - held, forgiven, held,
  greatest(0, twice.reruns - %(reruns)s)::bigint as doubled, least(twice.reruns, %(reruns)s)::bigint as reruns,
  started_s::float8, recorded_s::float8,
  (select coalesce(sum(case
    when statuses = case when concerned then %(story)s::text[] else '{}' end then misplaced
    else greatest(1, cardinality(statuses)) end), 0)::bigint from history),
  wrong,
  (select count(*) from change where quiet) as quiet,
  (select count(*) from incidents where started_at >= %(start)s and started_at < %(end)s) as incidents,
  array(
    select format('%%s s: %%s lost', extract(epoch from scheduled_at - %(start)s)::integer, count(*))
    from slot where status is null and not excused and not (single and held = counted.single)
    group by scheduled_at order by scheduled_at) as when_lost,
  array(select distinct to_status || coalesce(': ' || reason, '') from told where not back order by 1) as changes,
  array(select distinct code from pipeline_incidents where started_at >= %(start)s order by 1) as pipeline
from counted, twice
-- What is excused may have been counted too.
cross join lateral (select least(counted.single, %(overlaps)s, greatest(0, %(drops)s - forgiven))::bigint as held) h
