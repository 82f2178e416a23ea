"""Emptying the tests' database: what few rows were written to is deleted from, the rest truncated.

To truncate a table makes new files for it and for all its indexes: done to every table before each test, that was most
of what a test cost. They are functions, as what they set is then their own: where a connection sets something itself,
the embedded database looks what has changed, and sets everything anew for the next one.
"""

from __future__ import annotations

from typing import LiteralString

MAKE: LiteralString = """
create schema if not exists tests;

create or replace function tests.empty() returns void language plpgsql
set client_min_messages = warning
set session_replication_role = replica  -- no triggers, no foreign keys: everything goes
as $body$
declare
  small constant integer := 32 * 8192;
  relation record;
begin
  for relation in
    select coalesce(c.user_view_name, h.table_name) as name
    from _timescaledb_catalog.hypertable h
    left join _timescaledb_catalog.continuous_agg c on c.mat_hypertable_id = h.id
    where (h.schema_name = 'public' or c.mat_hypertable_id is not null)
      and exists (select from _timescaledb_catalog.chunk k where k.hypertable_id = h.id)
    order by h.id
  loop
    execute format('truncate %I', relation.name);
  end loop;

  for relation in
    select relname as name, pg_relation_size(oid) as bytes from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'schema_migrations'
      and pg_relation_size(oid) > 0
  loop
    execute format('delete from %I', relation.name);
    if relation.bytes > small then
      execute format('truncate %I cascade', relation.name);
    end if;
  end loop;
  perform setval(format('%I.%I', schemaname, sequencename), 1, false)
  from pg_sequences where schemaname = 'public' and last_value is not null;
end $body$;

create or replace function tests.empty_audit() returns void language sql
set session_replication_role = replica
as 'delete from public.audit';
"""
EMPTY: LiteralString = "select tests.empty()"
EMPTY_AUDIT: LiteralString = "select tests.empty_audit() where exists (select from audit)"
"""That role has all plans made anew."""
