-- name: any
-- Whether there is an account yet; while there is none, /setup is open.
select exists (select 1 from users) as found

-- name: lock
-- Two may race to make the first account, or to take the last owner away: the second waits here, and sees what the
-- first did.
lock table users in share row exclusive mode

-- name: create_first
-- Makes an account only while there is none.
insert into users (name, password_hash, role)
select %(name)s, %(password_hash)s, 'owner' where not exists (select 1 from users)
returning id

-- name: by_name
-- The account to compare a password with, and whether somebody is signed in to it from this address.
select u.id, u.name, u.password_hash, u.totp_secret is not null as second_factor,
  exists (select from sessions s where s.user_id = u.id and s.address = %(address)s) as known_address
from users u where lower(u.name) = lower(%(name)s)

-- name: person
select u.id, u.name, u.role, u.password_hash, u.totp_secret, u.totp_since, u.created_at,
  (select count(*) from recovery_codes c where c.user_id = u.id and c.used_at is null) as codes_left
from users u where u.id = %(id)s

-- name: people
-- Everybody, with what tells whether an account is in use.
select u.id, u.name, u.role, u.password_hash is not null as joined, u.totp_secret is not null as second_factor,
  u.created_at, i.expires_at as link_expires_at,
  (select max(s.seen_at) from sessions s where s.user_id = u.id) as seen_at,
  (select count(*) from api_tokens t where t.user_id = u.id and t.revoked_at is null and t.expires_at > now()) as tokens
from users u left join invitations i on i.user_id = u.id and i.expires_at > now()
order by lower(u.name)

-- name: create_invited
insert into users (name, role) values (%(name)s, %(role)s)
on conflict (lower(name)) do nothing
returning id

-- name: invite
-- One link a person: a new one ends the one before.
insert into invitations (user_id, token_hash, made_by, expires_at)
values (%(user_id)s, %(token_hash)s, %(made_by)s, now() + %(lifetime_s)s * interval '1 second')
on conflict (user_id) do update set token_hash = excluded.token_hash, made_by = excluded.made_by, created_at = now(),
  expires_at = excluded.expires_at

-- name: invited
select u.id, u.name, u.role, u.password_hash is null as new
from invitations i join users u on u.id = i.user_id
where i.token_hash = %(token_hash)s and i.expires_at > now()

-- name: use_invitation
delete from invitations where token_hash = %(token_hash)s and expires_at > now() returning user_id

-- name: set_password
-- A one-time link that was not used ends: it would set another one.
with ended as (delete from invitations where user_id = %(id)s)
update users set password_hash = %(password_hash)s where id = %(id)s

-- name: set_role
-- Nothing, where nobody else who has come in would be left as an owner.
update users u set role = %(role)s
where u.id = %(id)s and (u.role <> 'owner' or %(role)s = 'owner' or exists (
  select from users o where o.id <> u.id and o.role = 'owner' and o.password_hash is not null))
returning id

-- name: remove
-- The same for going.
delete from users u
where u.id = %(id)s and (u.role <> 'owner' or exists (
  select from users o where o.id <> u.id and o.role = 'owner' and o.password_hash is not null))
returning id

-- name: set_totp
-- The code that proved it counts as used.
update users set totp_secret = %(secret)s, totp_step = %(step)s,
  totp_since = case when %(secret)s::text is not null then now() end
where id = %(id)s

-- name: use_totp_step
-- A code is good once, and so is every older one: compare and set.
update users set totp_step = %(step)s where id = %(id)s and totp_step < %(step)s returning id

-- name: forget_codes
delete from recovery_codes where user_id = %(id)s

-- name: add_codes
insert into recovery_codes (user_id, code_hash) select %(id)s, unnest(%(hashes)s::bytea[])

-- name: use_code
update recovery_codes set used_at = now()
where user_id = %(user_id)s and code_hash = %(code_hash)s and used_at is null
returning user_id
