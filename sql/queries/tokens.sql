-- name: create
insert into api_tokens (user_id, name, token_hash, hint, scope, expires_at)
values (%(user_id)s, %(name)s, %(token_hash)s, %(hint)s, %(scope)s, now() + make_interval(days => %(days)s))
returning id

-- name: of_user
-- The live ones, and for a month those that have ended.
select id, name, hint, scope, created_at, expires_at, used_at, revoked_at,
  revoked_at is null and expires_at > now() as live
from api_tokens
where user_id = %(user_id)s and coalesce(revoked_at, expires_at) > now() - interval '30 days'
order by revoked_at is null and expires_at > now() desc, id desc

-- name: visit
-- Whose token it is, while it lasts. A use is written down once a minute.
with found as (
  select t.id, t.name as token_name, t.scope, t.used_at, u.id as user_id, u.name, u.role
  from api_tokens t join users u on u.id = t.user_id
  where t.token_hash = %(token_hash)s and t.revoked_at is null and t.expires_at > now()
), used as (
  update api_tokens t set used_at = now() from found f
  where t.id = f.id and (f.used_at is null or f.used_at < now() - interval '1 minute')
)
select id as token_id, token_name, scope, user_id, name, role from found

-- name: revoke
update api_tokens set revoked_at = now()
where id = %(id)s and user_id = %(user_id)s and revoked_at is null
returning name

-- name: revoke_all
update api_tokens set revoked_at = now() where user_id = %(user_id)s and revoked_at is null
