-- People who may sign in.

create table users (
  id bigint generated always as identity primary key,
  name text not null check (length(name) between 1 and 100),
  password_hash text not null,
  created_at timestamptz not null default now()
);
create unique index users_name on users (lower(name));
comment on table users is 'Accounts. Passwords are Argon2id hashes.';

create table sessions (
  token_hash bytea primary key,
  user_id bigint not null references users on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index sessions_expiry on sessions (expires_at);
comment on table sessions is 'Signed-in browsers. The cookie holds the token, the table only its SHA-256.';
