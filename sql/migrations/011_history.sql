-- The schema `history`: what people ask. Views and functions here keep their names and meanings while the tables below
-- them change, and hold nothing that somebody who may look must not see: no options, no secrets, no accounts.

create schema history;
comment on schema history is
  'Views for people: monitors, results, roll-ups, transitions, incidents, uptime, maintenance, alerts, pings. \dv history.* lists them, \d+ history.results explains one. Times are timestamptz; columns that end in _ms are milliseconds, in _s seconds.';

create view history.monitors as
select id, name, type, target, tags, regions, interval_s, timeout_s, failure_threshold, recovery_threshold,
  passive as push, enabled, created_at, updated_at, archived_at as deleted_at
from monitors;
comment on view history.monitors is 'Every monitor as it is defined now, deleted ones too: their history keeps its name.';
comment on column history.monitors.id is 'The number in the page''s address; monitor_id elsewhere.';
comment on column history.monitors.name is 'As people call it. Names are not unique.';
comment on column history.monitors.type is 'Check type: http, tcp, ping, dns, push, …';
comment on column history.monitors.target is 'What is watched, in a few words and without secrets.';
comment on column history.monitors.tags is 'Words to group by: join unnest(tags).';
comment on column history.monitors.regions is 'Where it is checked; each region has a result for each slot.';
comment on column history.monitors.interval_s is 'Seconds from one check to the next.';
comment on column history.monitors.timeout_s is 'Seconds that one check may take.';
comment on column history.monitors.failure_threshold is 'Failed checks in a row that make it down.';
comment on column history.monitors.recovery_threshold is 'Good checks in a row that end an incident.';
comment on column history.monitors.push is 'True: a job that pings; nothing is checked, silence is judged.';
comment on column history.monitors.enabled is 'False while it is paused.';
comment on column history.monitors.created_at is 'When it was made.';
comment on column history.monitors.updated_at is 'When it was last edited.';
comment on column history.monitors.deleted_at is 'When it was deleted; null for monitors that there are.';

create view history.versions as
select monitor_id, version, valid_from, valid_to, type, interval_s, timeout_s, regions, failure_threshold,
  recovery_threshold, active
from monitor_versions;
comment on view history.versions is 'Every version of every monitor and when it was valid: each edit of what is checked, or when, makes one.';
comment on column history.versions.monitor_id is 'The monitor.';
comment on column history.versions.version is 'Counts from 1.';
comment on column history.versions.valid_from is 'When the edit was made.';
comment on column history.versions.valid_to is 'When the next one was made; null for the newest.';
comment on column history.versions.type is 'Check type.';
comment on column history.versions.interval_s is 'Seconds from one check to the next.';
comment on column history.versions.timeout_s is 'Seconds that one check may take.';
comment on column history.versions.regions is 'Where it was checked.';
comment on column history.versions.failure_threshold is 'Failed checks in a row that make it down.';
comment on column history.versions.recovery_threshold is 'Good checks in a row that end an incident.';
comment on column history.versions.active is 'False while paused or deleted, and for push monitors: no checks are due.';

create view history.states as
select s.monitor_id, s.status::text as status,
  shown_status(s.status, exists (  -- not maintenance_until(): a function in a view has the rights of whoever asks
    select from maintenance_windows w
    where w.during @> now()
      and (w.everything or s.monitor_id = any(w.monitor_ids) or not w.settled and m.tags && w.tags)))::text as shown_status,
  s.since, now() - s.since as lasted, s.last_slot, s.failures, s.reason, s.message, s.latency_ms, s.incident_id
from monitor_states s
join monitors m on m.id = s.monitor_id;
comment on view history.states is 'What each monitor is at this moment.';
comment on column history.states.monitor_id is 'The monitor.';
comment on column history.states.status is 'What the checks say: up, degraded, down, unknown, pending or paused.';
comment on column history.states.shown_status is 'What the pages show: the same, or maintenance while a window of maintenance lasts.';
comment on column history.states.since is 'Since when it has this status.';
comment on column history.states.lasted is 'How long it has had it.';
comment on column history.states.last_slot is 'When the newest check that counted was due.';
comment on column history.states.failures is 'Failed checks in a row, up to the last slot.';
comment on column history.states.reason is 'Short code: timeout, refused, dns, tls, status, body, …; null when all is well.';
comment on column history.states.message is 'The same for people.';
comment on column history.states.latency_ms is 'Milliseconds of the last check that was answered.';
comment on column history.states.incident_id is 'The open incident.';

create view history.results as
select monitor_id, scheduled_at, region, version, status::text as status, reason, message, latency_ms, dns_ms, connect_ms,
  tls_ms, first_byte_ms, transfer_ms, started_at, recorded_at, evidence
from results;
comment on view history.results is 'The outcome of every check, for as long as raw results are kept (90 days unless set otherwise). Ask with a bound on scheduled_at: it is what the table is cut by.';
comment on column history.results.monitor_id is 'The monitor.';
comment on column history.results.scheduled_at is 'The slot: when the check was due. With monitor and region it names the result.';
comment on column history.results.region is 'Where it was checked from.';
comment on column history.results.version is 'Version of the monitor that was checked.';
comment on column history.results.status is 'up, degraded, down or unknown (our fault, or no evidence).';
comment on column history.results.reason is 'Short code of a failure: timeout, refused, dns, tls, status, body, …; null when all is well.';
comment on column history.results.message is 'The same for people.';
comment on column history.results.latency_ms is 'Milliseconds from start to the complete answer; null where nothing answered.';
comment on column history.results.dns_ms is 'Milliseconds of the name look-up.';
comment on column history.results.connect_ms is 'Milliseconds until the connection stood.';
comment on column history.results.tls_ms is 'Milliseconds of the TLS handshake.';
comment on column history.results.first_byte_ms is 'Milliseconds from the request to the first byte of the answer.';
comment on column history.results.transfer_ms is 'Milliseconds from the first byte to the last.';
comment on column history.results.started_at is 'When the worker began; minus scheduled_at it is the lateness.';
comment on column history.results.recorded_at is 'When the row was written.';
comment on column history.results.evidence is 'What was seen, as JSON: address, status_code, certificate (its not_after), answers, …';

create view history.results_hourly as
select monitor_id, region, bucket, checks, up, degraded, down, unknown, latency_count,
  latency_ms_sum / nullif(latency_count, 0) as mean_ms, latency_ms_min as min_ms,
  histogram_percentile(latency_histogram::bigint[], 0.5) as p50_ms,
  histogram_percentile(latency_histogram::bigint[], 0.95) as p95_ms,
  histogram_percentile(latency_histogram::bigint[], 0.99) as p99_ms, latency_ms_max as max_ms,
  latency_ms_sum, dns_ms_sum, connect_ms_sum, tls_ms_sum, first_byte_ms_sum, transfer_ms_sum,
  latency_histogram::bigint[] as latency_histogram
from results_hourly;
comment on view history.results_hourly is 'Results by hour (UTC), monitor and region, kept for years (1,826 days unless set otherwise), up to this moment. Only counts, sums and histograms may be added up: over several rows a percentile is histogram_percentile(histogram_sum(latency_histogram), 0.95), a mean is sum(latency_ms_sum) / sum(latency_count).';

create view history.results_daily as
select monitor_id, region, bucket, checks::bigint as checks, up::bigint as up, degraded::bigint as degraded,
  down::bigint as down, unknown::bigint as unknown, latency_count::bigint as latency_count,
  latency_ms_sum / nullif(latency_count, 0)::double precision as mean_ms, latency_ms_min as min_ms,
  histogram_percentile(latency_histogram, 0.5) as p50_ms, histogram_percentile(latency_histogram, 0.95) as p95_ms,
  histogram_percentile(latency_histogram, 0.99) as p99_ms, latency_ms_max as max_ms,
  latency_ms_sum, dns_ms_sum, connect_ms_sum, tls_ms_sum, first_byte_ms_sum, transfer_ms_sum, latency_histogram
from results_daily;
comment on view history.results_daily is 'The same by day (UTC).';

do $$
declare
  roll_up text;
  described text[];
begin
  foreach roll_up in array '{results_hourly,results_daily}'::text[] loop
    foreach described slice 1 in array array[
      ['monitor_id', 'The monitor.'],
      ['region', 'Where it was checked from.'],
      ['bucket', 'When the hour or day begins, in UTC.'],
      ['checks', 'How many results: up + degraded + down + unknown.'],
      ['up', 'How many of them were up.'],
      ['degraded', 'How many were degraded: answered, but slow, or with a certificate near its end.'],
      ['down', 'How many were down.'],
      ['unknown', 'How many were unknown: our fault, or no evidence.'],
      ['latency_count', 'How many good checks (up or degraded) the latencies are of.'],
      ['mean_ms', 'Mean latency of the good checks, milliseconds. Means of several rows do not add up.'],
      ['min_ms', 'The fastest, milliseconds.'],
      ['p50_ms', 'Median latency of the good checks, milliseconds, within 3 %. Percentiles do not add up.'],
      ['p95_ms', '95th percentile, milliseconds, within 3 %.'],
      ['p99_ms', '99th percentile, milliseconds, within 3 %.'],
      ['max_ms', 'The slowest, milliseconds.'],
      ['latency_ms_sum', 'Milliseconds of all good checks together.'],
      ['dns_ms_sum', 'Of them in the name look-up; divide by latency_count.'],
      ['connect_ms_sum', 'Of them until the connection stood.'],
      ['tls_ms_sum', 'Of them in the TLS handshake.'],
      ['first_byte_ms_sum', 'Of them until the first byte of the answer.'],
      ['transfer_ms_sum', 'Of them until its last byte.'],
      ['latency_histogram', 'Good checks by latency: bins 6 % wide. Add with histogram_sum(), read with histogram_percentile().']
    ] loop
      execute format('comment on column history.%I.%I is %L', roll_up, described[1], described[2]);
    end loop;
  end loop;
end $$;

create view history.transitions as
select id, monitor_id, at, confirmed_at, from_status::text as from_status, to_status::text as to_status, reason, message,
  incident_id
from transitions;
comment on view history.transitions is 'Every change of a monitor''s status. Uptime is computed from these rows alone, weighted by time.';
comment on column history.transitions.id is 'Grows with time.';
comment on column history.transitions.monitor_id is 'The monitor.';
comment on column history.transitions.at is 'When the status began: the slot of the first check that showed it.';
comment on column history.transitions.confirmed_at is 'When it was sure: the slot that reached the threshold.';
comment on column history.transitions.from_status is 'What it was before; null for the first.';
comment on column history.transitions.to_status is 'up, degraded, down, unknown, pending or paused.';
comment on column history.transitions.reason is 'Short code of why.';
comment on column history.transitions.message is 'The same for people.';
comment on column history.transitions.incident_id is 'The incident that it opened or closed.';

create view history.incidents as
select id, monitor_id, started_at, confirmed_at, ended_at, coalesce(ended_at, now()) - started_at as duration, reason,
  message, region, closed_by, acknowledged_at, acknowledged_by, snoozed_until, resolved_by, postmortem, evidence
from incidents;
comment on view history.incidents is 'One row an unbroken down period, with its cause and evidence.';
comment on column history.incidents.id is 'The number in the page''s address.';
comment on column history.incidents.monitor_id is 'The monitor.';
comment on column history.incidents.started_at is 'Slot of the first failed check.';
comment on column history.incidents.confirmed_at is 'Slot of the failed check that reached the threshold.';
comment on column history.incidents.ended_at is 'Slot of the first good check of the recovery; null while it is down.';
comment on column history.incidents.duration is 'From started_at to ended_at, or to this moment.';
comment on column history.incidents.reason is 'Short code of the first failure.';
comment on column history.incidents.message is 'The same for people.';
comment on column history.incidents.region is 'Where it was seen first.';
comment on column history.incidents.closed_by is 'recovery, pause, deletion, or hand (somebody resolved it); null while it is open.';
comment on column history.incidents.acknowledged_at is 'When somebody took care.';
comment on column history.incidents.acknowledged_by is 'Who.';
comment on column history.incidents.snoozed_until is 'Alerts wait until then.';
comment on column history.incidents.resolved_by is 'Who resolved it by hand.';
comment on column history.incidents.postmortem is 'What was learnt; Markdown.';
comment on column history.incidents.evidence is 'What the first failed check saw, as JSON.';

create view history.incident_events as
select id, incident_id, at, kind, who, text from incident_events;
comment on view history.incident_events is 'The timelines of the incidents.';
comment on column history.incident_events.id is 'Grows with time.';
comment on column history.incident_events.incident_id is 'The incident.';
comment on column history.incident_events.at is 'When.';
comment on column history.incident_events.kind is 'failed, confirmed, alerted, held, acknowledged, unacknowledged, snoozed, commented, resolved, recovered or closed.';
comment on column history.incident_events.who is 'The person, or the channel that was told.';
comment on column history.incident_events.text is 'What was said.';

create view history.maintenance_windows as
select w.id, w.maintenance_id, m.title, w.starts_at, w.ends_at, w.ends_at - w.starts_at as duration, w.by_hand, w.counts,
  w.everything, w.tags, w.monitor_ids
from maintenance_windows w
join maintenances m on m.id = w.maintenance_id;
comment on view history.maintenance_windows is 'Each window of maintenance: past ones as they were, and what is planned for the next 35 days.';
comment on column history.maintenance_windows.id is 'The window.';
comment on column history.maintenance_windows.maintenance_id is 'The plan that it comes from.';
comment on column history.maintenance_windows.title is 'What the plan is called.';
comment on column history.maintenance_windows.starts_at is 'When it begins.';
comment on column history.maintenance_windows.ends_at is 'The first moment after it.';
comment on column history.maintenance_windows.duration is 'How long it is.';
comment on column history.maintenance_windows.by_hand is 'Somebody started it; no rule did.';
comment on column history.maintenance_windows.counts is 'excluded: uptime leaves it out; as_measured: it counts like any other time.';
comment on column history.maintenance_windows.everything is 'It is for every monitor; tags and monitor_ids mean nothing.';
comment on column history.maintenance_windows.tags is 'It is for monitors with one of these tags, as long as it is not over.';
comment on column history.maintenance_windows.monitor_ids is 'And for these; of past windows, all that had such a tag at its end.';

create view history.channels as
select id, name, kind, enabled, is_default, quiet_from, quiet_to, quiet_zone, failing_since, broken_at, created_at,
  archived_at as deleted_at
from channels;
comment on view history.channels is 'Where alerts go, without their options.';
comment on column history.channels.id is 'The channel.';
comment on column history.channels.name is 'As people call it.';
comment on column history.channels.kind is 'webhook, email, script or apprise.';
comment on column history.channels.enabled is 'False while it is switched off.';
comment on column history.channels.is_default is 'Told of every monitor that does not choose its own channels.';
comment on column history.channels.quiet_from is 'Wall-clock time in quiet_zone at which quiet hours begin; null: none.';
comment on column history.channels.quiet_to is 'When they end.';
comment on column history.channels.quiet_zone is 'Time zone of the two.';
comment on column history.channels.failing_since is 'Since when messages have not come through.';
comment on column history.channels.broken_at is 'When the provider refused for good.';
comment on column history.channels.created_at is 'When it was made.';
comment on column history.channels.deleted_at is 'When it was deleted; null for channels that there are.';

create view history.alerts as
select n.id, n.monitor_id, n.incident_id, n.kind, n.step, n.channel_id, c.name as channel, n.at, n.due_at, n.status, n.held,
  n.told_at, n.message_id
from notifications n
join channels c on c.id = n.channel_id;
comment on view history.alerts is 'Each piece of news that a channel was to be told, and what became of it.';
comment on column history.alerts.id is 'Grows with time.';
comment on column history.alerts.monitor_id is 'The monitor; null for news of Pinguin itself.';
comment on column history.alerts.incident_id is 'The incident, of news about one.';
comment on column history.alerts.kind is 'down, up, reminder, degraded, ok, unknown, known, flapping, stable, slow, fast, certificate, domain, pipeline or pipeline_over.';
comment on column history.alerts.step is 'Step of the escalation, from 0.';
comment on column history.alerts.channel_id is 'Who was to be told.';
comment on column history.alerts.channel is 'Its name.';
comment on column history.alerts.at is 'When it happened.';
comment on column history.alerts.due_at is 'When it might be told at the earliest.';
comment on column history.alerts.status is 'waiting, taken, sent, cancelled or failed.';
comment on column history.alerts.held is 'Why it waits, or why it was cancelled.';
comment on column history.alerts.told_at is 'When the provider had it.';
comment on column history.alerts.message_id is 'The message that told it; one message may tell many.';

create view history.messages as
select g.id, g.channel_id, c.name as channel, c.kind, g.status, g.attempts, g.unsure, g.created_at, g.ended_at, g.subject
from messages g
join channels c on c.id = g.channel_id;
comment on view history.messages is 'The messages that were sent, or tried: one may tell many alerts.';
comment on column history.messages.id is 'The message.';
comment on column history.messages.channel_id is 'To whom.';
comment on column history.messages.channel is 'The channel''s name.';
comment on column history.messages.kind is 'The channel''s kind.';
comment on column history.messages.status is 'sending, retry, sent or failed.';
comment on column history.messages.attempts is 'How often it was tried.';
comment on column history.messages.unsure is 'A try ended without an answer: the provider may have it.';
comment on column history.messages.created_at is 'When it was made.';
comment on column history.messages.ended_at is 'When the provider had it, or when it was given up.';
comment on column history.messages.subject is 'Its subject.';

create view history.pings as
select monitor_id, at, kind, exit_code, run_id, duration_ms, method, remote, user_agent, body from pings;
comment on view history.pings is 'Every ping of a job to its push monitor, as long as raw results are kept.';
comment on column history.pings.monitor_id is 'The push monitor.';
comment on column history.pings.at is 'When it came.';
comment on column history.pings.kind is 'start, success, fail, log, exit (by exit_code) or ignored.';
comment on column history.pings.exit_code is 'What the job said: 0 is success.';
comment on column history.pings.run_id is 'The rid that the job gave, to tell runs apart.';
comment on column history.pings.duration_ms is 'Milliseconds from the start of the run that this ping ended.';
comment on column history.pings.method is 'GET, POST or HEAD.';
comment on column history.pings.remote is 'The address that it came from.';
comment on column history.pings.user_agent is 'What the program said of itself.';
comment on column history.pings.body is 'The first bytes of what the job sent, as text.';

create view history.expiries as
select monitor_id, kind, expires_at, expires_at - now() as remaining, subject, seen_at from monitor_expiries;
comment on view history.expiries is 'When the certificate or the domain that a monitor saw last runs out.';
comment on column history.expiries.monitor_id is 'The monitor.';
comment on column history.expiries.kind is 'certificate or domain.';
comment on column history.expiries.expires_at is 'When it ends.';
comment on column history.expiries.remaining is 'How long that still is; negative when it has ended.';
comment on column history.expiries.subject is 'Whose it is.';
comment on column history.expiries.seen_at is 'When it was seen last.';

create view history.slow_spells as
select id, monitor_id, started_at, ended_at, percentile, window_s, above_ms, value_ms from slow_spells;
comment on view history.slow_spells is 'Times in which a percentile of a monitor''s latency was above what its alert rules allow.';
comment on column history.slow_spells.id is 'Grows with time.';
comment on column history.slow_spells.monitor_id is 'The monitor.';
comment on column history.slow_spells.started_at is 'When it began.';
comment on column history.slow_spells.ended_at is 'When it was over; null while it lasts.';
comment on column history.slow_spells.percentile is 'Which percentile, 1 to 100.';
comment on column history.slow_spells.window_s is 'Over how many seconds.';
comment on column history.slow_spells.above_ms is 'The limit, milliseconds.';
comment on column history.slow_spells.value_ms is 'What it was at the beginning, milliseconds.';

create view history.pinguin_incidents as
select id, code, region, started_at, ended_at, coalesce(ended_at, now()) - started_at as duration, message
from pipeline_incidents;
comment on view history.pinguin_incidents is 'Times at which Pinguin itself was not well: monitors may be unknown because of it.';
comment on column history.pinguin_incidents.id is 'Grows with time.';
comment on column history.pinguin_incidents.code is 'no_worker, queue_late, spilled, lost, quiet, unwatched, channel, …';
comment on column history.pinguin_incidents.region is 'The region, where one is concerned; else empty.';
comment on column history.pinguin_incidents.started_at is 'When it began.';
comment on column history.pinguin_incidents.ended_at is 'When it was over; null while it lasts.';
comment on column history.pinguin_incidents.duration is 'How long it lasted, or has lasted so far.';
comment on column history.pinguin_incidents.message is 'What was wrong.';

-- Functions that look below the views: each answers with numbers that anybody who may see the views may see.

create function history.status_seconds(since timestamptz, until timestamptz default now(), monitor bigint default null)
returns table (monitor_id bigint, status text, seconds double precision)
language sql stable parallel safe security definer set search_path = public, pg_temp as $$
  select s.monitor_id, s.status::text, s.seconds
  from status_seconds(case when monitor is null then array(select id from monitors) else array[monitor] end, since, until) s
$$;
comment on function history.status_seconds is
  'Seconds that each monitor (or the one given) spent in each status within [since, until), never beyond now. Maintenance that uptime leaves out is status maintenance, whatever the status was.';

create function history.uptime(since timestamptz, until timestamptz default now(), monitor bigint default null)
returns table (
  monitor_id bigint, uptime double precision, up_s double precision, down_s double precision,
  unmonitored_s double precision)
language sql stable parallel safe security definer set search_path = public, pg_temp as $$
  select u.monitor_id, u.uptime, u.up_s, u.down_s, u.unmonitored_s
  from uptime(case when monitor is null then array(select id from monitors) else array[monitor] end, since, until) u
$$;
comment on function history.uptime is
  'Uptime of each monitor (or the one given) within [since, until), weighted by time: up_s / (up_s + down_s), 0 to 1, null where nothing was monitored. Up and degraded are up; down is down; unknown, pending, paused and maintenance are not monitored time.';

create function history.expected_slots(since timestamptz, until timestamptz, monitor bigint default null)
returns table (monitor_id bigint, region text, scheduled_at timestamptz, version integer)
language sql stable parallel safe security definer set search_path = public, pg_temp as $$
  select s.monitor_id, s.region, s.scheduled_at, s.version
  from expected_slots(since, until) s
  where monitor is null or s.monitor_id = monitor
$$;
comment on function history.expected_slots is
  'Every check that was due within [since, until), by the versions then valid: one without a row in history.results is missing.';

create view history.uptimes as
select u.monitor_id, w.days, round((100 * u.uptime)::numeric, 4) as uptime_percent, u.up_s, u.down_s, u.unmonitored_s
from (values (1), (7), (30), (90)) w (days)
cross join lateral history.uptime(now() - w.days * interval '24 hours', now()) u;
comment on view history.uptimes is 'Uptime of every monitor over the last 1, 7, 30 and 90 days up to this moment, weighted by time. For any other window: history.uptime(since, until, monitor).';
comment on column history.uptimes.monitor_id is 'The monitor.';
comment on column history.uptimes.days is '1, 7, 30 or 90, of 24 hours each.';
comment on column history.uptimes.uptime_percent is 'Percent of the monitored time; null where nothing was monitored.';
comment on column history.uptimes.up_s is 'Seconds up or degraded.';
comment on column history.uptimes.down_s is 'Seconds down.';
comment on column history.uptimes.unmonitored_s is 'Seconds unknown, pending, paused or in maintenance: they count as neither.';

-- The role that may read this schema and nothing else. Roles belong to the whole server: other databases on it may have
-- made it already, and a server may forbid us to make it, or to become it. Then the page says what somebody who may has
-- to run.
create function admit_reader() returns text language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  may_become constant text := case when current_setting('server_version_num')::integer >= 160000 then 'set' else 'member' end;
begin
  if not exists (select from pg_roles where rolname = 'pinguin_reader') then
    return 'there is no role pinguin_reader';
  end if;
  grant usage on schema history to pinguin_reader;
  grant select on all tables in schema history to pinguin_reader;
  grant execute on all functions in schema history to pinguin_reader;
  if not pg_has_role(current_user, 'pinguin_reader', may_become) then
    begin
      execute format('grant pinguin_reader to %I', current_user);
    exception when insufficient_privilege then
      return format('pinguin_reader may read the schema history, but %I may not become it', current_user);
    end;
  end if;
  return 'pinguin_reader may read the schema history';
end $$;
comment on function admit_reader is 'Lets the role pinguin_reader read the schema history, if there is such a role; says what it did. As often as you like.';
revoke execute on function admit_reader from public;
revoke execute on all functions in schema history from public;

do $$
begin
  if not exists (select from pg_roles where rolname = 'pinguin_reader') then
    begin
      create role pinguin_reader nologin nosuperuser nocreatedb nocreaterole noinherit;
      alter role pinguin_reader set default_transaction_read_only = on;
      alter role pinguin_reader set statement_timeout = '60s';
      alter role pinguin_reader set idle_in_transaction_session_timeout = '60s';
      alter role pinguin_reader set search_path = history, public;
    exception
      when insufficient_privilege then
        raise warning 'this server does not let us make the role pinguin_reader; the page SQL needs it';
      when duplicate_object or unique_violation then
        null;  -- another database of this server was faster
    end;
  end if;
  perform admit_reader();
exception when insufficient_privilege then
  raise warning 'the role pinguin_reader may not be used here: %', sqlerrm;
end $$;
