-- name: write
-- One row for each thing that was changed, in the transaction of the change.
insert into audit (actor, user_id, token_id, token_name, address, action, object_kind, object_id, object_name, changes)
select %(actor)s, %(user_id)s, %(token_id)s, %(token_name)s, %(address)s, %(action)s, e.kind, e.id, e.name, e.changes
from jsonb_to_recordset(%(entries)s) e (kind text, id bigint, name text, changes jsonb)

-- name: count_failure
-- One more sign-in that failed; says whether it is the first of its hour.
insert into failed_sign_ins (hour, address, user_id, kind)
values (date_trunc('hour', now()), %(address)s, %(user_id)s, %(kind)s)
on conflict (hour, address, user_id, kind) do update set tries = failed_sign_ins.tries + 1, last_at = now()
returning id, tries

-- name: page
-- The newest first, below the row `before`.
select a.id, a.at, a.actor, a.user_id, a.token_id, a.token_name, a.address, a.action, a.object_kind, a.object_id,
  a.object_name, a.changes, f.tries, f.last_at
from audit a
left join failed_sign_ins f on a.action = 'sign_in.fail' and f.id = a.object_id
where (%(before)s::bigint is null or a.id < %(before)s)
  and (%(actor)s::text is null or lower(a.actor) = lower(%(actor)s))
  and (%(kind)s::text is null or a.object_kind = %(kind)s)
  and (%(object_id)s::bigint is null or a.object_id = %(object_id)s)
  and (%(action)s::text is null or a.action = %(action)s)
  and (%(since)s::timestamptz is null or a.at >= %(since)s)
  and (%(until)s::timestamptz is null or a.at < %(until)s)
order by a.id desc
limit %(most)s

-- name: kinds
-- What there is to filter by: a loose walk along the index, for there may be millions of rows.
with recursive walked (kind) as (
  select min(object_kind) from audit
  union all
  select (select min(object_kind) from audit where object_kind > walked.kind) from walked where walked.kind is not null
)
select kind from walked where kind is not null order by kind

-- name: forget
-- What is older than it has to be kept, a little at a time.
with old as (
  delete from audit where id in (
    select id from audit where at < now() - make_interval(days => greatest(%(days)s, 91)) order by at limit 10000)
)
delete from failed_sign_ins where last_at < now() - make_interval(days => greatest(%(days)s, 91))
