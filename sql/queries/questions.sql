-- name: catalogue
-- The views that people may ask, column by column, with what is said of them.
select c.relname::text as view, obj_description(c.oid, 'pg_class') as about, a.attname::text as name,
  format_type(a.atttypid, a.atttypmod) as type, col_description(c.oid, a.attnum) as meaning
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'history'::regnamespace and c.relkind = 'v'
order by c.oid, a.attnum

-- name: functions
select p.proname::text as name, pg_get_function_arguments(p.oid) as arguments, pg_get_function_result(p.oid) as result,
  obj_description(p.oid, 'pg_proc') as about
from pg_proc p
where p.pronamespace = 'history'::regnamespace
order by p.oid

-- name: reader
-- Whether there is a role to ask as, and whether it is one that can be trusted with it.
select current_user::text as me,
  r.oid is not null and has_schema_privilege(r.oid, 'history', 'usage') and pg_has_role(current_user, r.oid,
    case when current_setting('server_version_num')::integer >= 160000 then 'set' else 'member' end) as admitted,
  not r.rolsuper and not r.rolcreaterole and not exists (select from pg_auth_members m where m.member = r.oid)
    and not has_table_privilege(r.oid, 'users', 'select') as harmless
from (values (1)) one
left join pg_roles r on r.rolname = 'pinguin_reader'

-- name: look_before
-- A view is parsed and not run: what it needs can be read from its rule, in the database's own words. What is asked
-- stands between this and `look_after`. Data cannot be changed in there, and only SELECT, WITH, VALUES and TABLE can stand.
create temporary view pinguin_question as select from (

-- name: look_after
) question

-- name: judge
-- What the view needs that may not be used: relations other than the views for people, and functions that do more than
-- compute. Functions in the catalogue are volatile where they act (set_config, pg_sleep, pg_read_file, query_to_xml, …).
with tree as (
  select ev_class, ev_action::text as nodes from pg_rewrite where ev_class = 'pg_temp.pinguin_question'::regclass
), called (id) as (
  select found[1]::oid
  from tree, regexp_matches(nodes, ':(?:funcid|opfuncid|hashfuncid|negfuncid|aggfnoid|winfnoid) (\d+)', 'g') found
  union
  select o.oprcode from tree, regexp_matches(nodes, ':opno (\d+)', 'g') found join pg_operator o on o.oid = found[1]::oid
), read (id) as (
  select distinct found[1]::oid
  from tree, regexp_matches(nodes, ':relid (\d+)', 'g') found
  where found[1]::oid not in (0, ev_class)
)
select 'function' as kind, n.nspname || '.' || p.proname as name
from called c
join pg_proc p on p.oid = c.id
join pg_namespace n on n.oid = p.pronamespace
where not case n.nspname
  when 'history' then true
  when 'pg_catalog' then
    p.proname in ('random', 'clock_timestamp', 'gen_random_uuid', 'pg_typeof', 'pg_size_pretty')
    or p.provolatile <> 'v'
      and p.proname !~ '^(pg_|lo_|has_|txid_|binary_upgrade|current_setting|inet_(client|server))|(database|schema|table|query|cursor)_to_xml'
  else p.proname in (
    'time_bucket', 'time_bucket_gapfill', 'locf', 'interpolate', 'first', 'last', 'histogram', 'histogram_sum',
    'histogram_percentile', 'slot_phase') end
union
select 'table', n.nspname || '.' || c.relname
from read r
join pg_class c on c.oid = r.id
join pg_namespace n on n.oid = c.relnamespace
where n.nspname <> 'history' or c.relkind <> 'v'
order by kind, name

-- name: read_only
set transaction read only

-- name: become_reader
set local role pinguin_reader

-- name: declare
-- What is asked stands behind it. A cursor takes nothing but SELECT and VALUES.
declare question no scroll cursor for

-- name: fetch
fetch forward 1000 from question
