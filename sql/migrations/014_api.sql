-- The API: requests that are done once, and badges that anybody may see.

create table idempotency_keys (
  token_id bigint not null references api_tokens on delete cascade,
  key text not null check (length(key) between 1 and 255),
  request_hash bytea not null,
  claimed_at timestamptz not null default now(),
  status smallint,
  headers jsonb not null default '{}',
  body bytea,
  primary key (token_id, key)
);
create index idempotency_keys_claimed on idempotency_keys (claimed_at);
comment on table idempotency_keys is
  'POSTs of programs that sent an Idempotency-Key: done once, and answered alike for a day. Kept for each token by itself.';
comment on column idempotency_keys.request_hash is 'SHA-256 of all that was asked: the same key with something else is refused.';
comment on column idempotency_keys.claimed_at is 'When the request came. Unfinished for five minutes, or finished for a day, the key is free again.';
comment on column idempotency_keys.status is 'HTTP status of the answer, written in the transaction of the change; null while that is under way.';
comment on column idempotency_keys.headers is 'What of the answer''s headers is answered again: Location, ETag.';
comment on column idempotency_keys.body is 'The answer. Null where it held a secret, which is not kept.';

create table badge_links (
  monitor_id bigint primary key references monitors on delete cascade,
  key text not null unique check (length(key) >= 20),
  created_at timestamptz not null default now()
);
comment on table badge_links is
  'Monitors whose badges anybody may see who has the link. Taking the link back deletes the row; a new one has another key.';
comment on column badge_links.key is 'Unguessable part of the link (128 random bits). It shows status, uptime, latency and days to the certificate''s end, and nothing else.';
