-- What doctor and readiness ask.

-- name: database
select now(), current_setting('server_version'),
  (select extversion from pg_extension where extname = 'timescaledb'),
  coalesce(current_setting('timescaledb.license', true), '') = 'timescale'

-- name: ping
-- Whether the database answers.
select 1
