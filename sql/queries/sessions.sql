-- name: open
-- Remembers a signed-in browser.
insert into sessions (token_hash, user_id, expires_at, address, device)
values (%(token_hash)s, %(user_id)s, now() + %(lifetime_s)s * interval '1 second', %(address)s, %(device)s)
returning id

-- name: visit
-- Who a cookie belongs to, if its session has not ended. A use is written down once a minute.
with found as (
  select s.id, s.token_hash, s.seen_at, s.address, u.id as user_id, u.name, u.role
  from sessions s join users u on u.id = s.user_id
  where s.token_hash = %(token_hash)s and s.expires_at > now() and s.seen_at > now() - %(idle_s)s * interval '1 second'
), seen as (
  update sessions s set seen_at = now(), address = %(address)s
  from found f
  where s.token_hash = f.token_hash and %(counts)s
    and (f.seen_at < now() - interval '1 minute' or f.address <> %(address)s)
)
select id as session_id, user_id, name, role from found

-- name: of_user
select id, token_hash, created_at, seen_at, expires_at, address, device
from sessions
where user_id = %(user_id)s and expires_at > now() and seen_at > now() - %(idle_s)s * interval '1 second'
order by seen_at desc, id desc
limit 200

-- name: close
-- Signing out.
delete from sessions where token_hash = %(token_hash)s returning id

-- name: close_one
delete from sessions where id = %(id)s and user_id = %(user_id)s returning token_hash

-- name: close_all
-- Somebody's sessions, but for one that may stay.
delete from sessions where user_id = %(user_id)s and id is distinct from %(but)s returning token_hash

-- name: open_step
insert into sign_in_steps (token_hash, user_id, expires_at)
values (%(token_hash)s, %(user_id)s, now() + %(lifetime_s)s * interval '1 second')

-- name: step
select u.id, u.name, u.totp_secret from sign_in_steps s join users u on u.id = s.user_id
where s.token_hash = %(token_hash)s and s.expires_at > now()

-- name: close_step
delete from sign_in_steps where token_hash = %(token_hash)s and expires_at > now() returning user_id

-- name: close_steps
delete from sign_in_steps where user_id = %(user_id)s
