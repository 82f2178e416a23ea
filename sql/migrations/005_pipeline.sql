-- Pinguin's own health: what went wrong with the pipeline, raised once and not once a monitor.

create table pipeline_incidents (
  id bigint generated always as identity primary key,
  code text not null check (code in ('no_worker', 'queue_late', 'spilled', 'lost', 'quiet', 'unwatched')),
  region text not null default '',
  started_at timestamptz not null default now(),
  ended_at timestamptz,
  message text not null
);
comment on table pipeline_incidents is 'Times at which Pinguin itself was not well: monitors may be unknown because of it.';
comment on column pipeline_incidents.code is
  'no_worker: a region has monitors and no worker; queue_late: jobs wait too long; spilled: results wait for the database; lost: results did not fit there; quiet: monitors without results; unwatched: no leader, or no database for it.';
comment on column pipeline_incidents.region is 'The region, where one is concerned.';
create unique index pipeline_incidents_open on pipeline_incidents (code, region) where ended_at is null;
create index pipeline_incidents_started on pipeline_incidents (started_at desc);

create table pipeline_watch (
  only_row boolean primary key default true check (only_row),
  watched_at timestamptz not null
);
comment on table pipeline_watch is 'When the leader last looked after the pipeline: a longer gap is an incident of its own.';
