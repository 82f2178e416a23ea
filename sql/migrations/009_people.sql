-- People: roles, second factors, one-time links, sessions that are listed, API tokens; and who changed what.

alter table users alter column password_hash drop not null;
alter table users
  add column role text not null default 'viewer' check (role in ('owner', 'editor', 'viewer')),
  add column totp_secret text,
  add column totp_since timestamptz,
  add column totp_step bigint;
update users set role = 'owner';
comment on column users.password_hash is 'Argon2id. Null: invited, and has not come yet (or signs in some other way).';
comment on column users.role is 'owner: everything, and people. editor: monitors, channels, maintenance. viewer: looks.';
comment on column users.totp_secret is 'The second factor (RFC 6238), sealed with PINGUIN_SECRET_KEY. Null: none.';
comment on column users.totp_step is 'The newest time step (of 30 s) whose code was used: none is taken twice.';

create table recovery_codes (
  user_id bigint not null references users on delete cascade,
  code_hash bytea not null,
  used_at timestamptz,
  primary key (user_id, code_hash)
);
comment on table recovery_codes is 'Each stands once for the second factor. The table holds the SHA-256 of 80 random bits.';

create table invitations (
  user_id bigint primary key references users on delete cascade,
  token_hash bytea not null unique,
  made_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
comment on table invitations is 'One-time links with which somebody sets a password: to come in, or after it was forgotten.';

create table sign_in_steps (
  token_hash bytea primary key,
  user_id bigint not null references users on delete cascade,
  expires_at timestamptz not null
);
comment on table sign_in_steps is 'Who gave the right password a moment ago, and still owes the code of the second factor.';

alter table sessions
  add column id bigint generated always as identity unique,
  add column seen_at timestamptz not null default now(),
  add column address text not null default '',
  add column device text not null default '';
create index sessions_user on sessions (user_id);
comment on column sessions.seen_at is 'When it was last used, to the minute. Unused for two weeks, it has ended.';
comment on column sessions.device is 'The browser and its system, in two words, from what it says of itself.';

create table api_tokens (
  id bigint generated always as identity primary key,
  user_id bigint not null references users on delete cascade,
  name text not null check (length(name) between 1 and 100),
  token_hash bytea not null unique,
  hint text not null,
  scope text not null check (scope in ('read', 'write', 'metrics')),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  revoked_at timestamptz
);
create index api_tokens_user on api_tokens (user_id);
comment on table api_tokens is 'What programs sign in with. Only the SHA-256 is kept; a token can do no more than its person.';
comment on column api_tokens.hint is 'Its first letters, to tell it from others.';
comment on column api_tokens.scope is 'read: look. write: change too, as far as the person''s role goes. metrics: /metrics alone.';
comment on column api_tokens.used_at is 'To the minute.';

create table failed_sign_ins (
  id bigint generated always as identity primary key,
  hour timestamptz not null,
  address text not null,
  user_id bigint,
  kind text not null check (kind in ('password', 'code', 'setup')),
  tries bigint not null default 1,
  last_at timestamptz not null default now(),
  unique nulls not distinct (hour, address, user_id, kind)
);
create index failed_sign_ins_last on failed_sign_ins (last_at);
comment on table failed_sign_ins is 'Counted by hour, address and account (null: no such name, which may be a mistyped password).';

create table audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor text not null,
  user_id bigint,
  token_id bigint,
  token_name text,
  address text not null default '',
  action text not null check (action ~ '^[a-z_]+\.[a-z_]+$'),
  object_kind text not null,
  object_id bigint,
  object_name text not null default '',
  changes jsonb not null default '{}' check (jsonb_typeof(changes) = 'object')
);
create index audit_actor on audit (lower(actor), id desc);
create index audit_object on audit (object_kind, object_id, id desc);
create index audit_at on audit (at);
comment on table audit is
  'Who changed what: written in the transaction of the change, never altered, and removed by age alone (90 days at least). No keys point from here: it outlives what it tells of.';
comment on column audit.actor is 'The name at that time; `system` for Pinguin itself, `nobody` before a sign-in.';
comment on column audit.user_id is 'Who did it, or with whose token.';
comment on column audit.action is 'Such as monitor.edit; the part before the dot is the kind of thing.';
comment on column audit.object_id is 'Of a failed sign-in: its row in failed_sign_ins, which counts.';
comment on column audit.changes is
  'field → {"from": …, "to": …}, or "changed" where the value is a secret. Of new things `to` alone, of old ones `from`.';

create function audit_stays() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.at < now() - interval '90 days' then
    return old;
  end if;
  raise exception 'the audit log is only ever added to' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_stays before update or delete on audit for each row execute function audit_stays();
create trigger audit_is_not_emptied before truncate on audit for each statement execute function audit_stays();
