-- name: any
-- Whether there is an account yet; while there is none, /setup is open.
select exists (select 1 from users) as found

-- name: lock
-- Two browsers may race to make the first account: the second waits here, and then sees the first's.
lock table users in share row exclusive mode

-- name: create_first
-- Makes an account only while there is none.
insert into users (name, password_hash)
select %(name)s, %(password_hash)s where not exists (select 1 from users)
returning id

-- name: by_name
-- The account to compare a password with.
select id, name, password_hash from users where lower(name) = lower(%(name)s)

-- name: open_session
-- Remembers a signed-in browser.
insert into sessions (token_hash, user_id, expires_at)
values (%(token_hash)s, %(user_id)s, now() + %(lifetime_s)s * interval '1 second')

-- name: session
-- Who a cookie belongs to, if its session has not ended.
select u.id, u.name from sessions s join users u on u.id = s.user_id
where s.token_hash = %(token_hash)s and s.expires_at > now()

-- name: close_session
-- Signing out.
delete from sessions where token_hash = %(token_hash)s
