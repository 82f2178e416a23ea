-- Idempotency keys of the API: each is good for a day.

-- name: claim
-- A key that was finished a day ago is new again; one that nobody finished may be taken after five minutes: whatever
-- holds a transaction open has ended by then.
insert into idempotency_keys as k (token_id, key, request_hash, claimed_at)
values (%(token_id)s, %(key)s, %(request_hash)s, clock_timestamp())
on conflict (token_id, key) do update
set request_hash = excluded.request_hash, claimed_at = excluded.claimed_at, status = null, headers = '{}', body = null
where k.claimed_at < now() - case when k.status is null then interval '5 minutes' else interval '1 day' end
returning claimed_at

-- name: kept
select request_hash, status, headers, body from idempotency_keys where token_id = %(token_id)s and key = %(key)s

-- name: finish
-- In the transaction of the change. Nothing, where the key was taken by another request meanwhile.
update idempotency_keys set status = %(status)s, headers = %(headers)s, body = %(body)s
where token_id = %(token_id)s and key = %(key)s and claimed_at = %(claimed_at)s and status is null
returning key

-- name: free
-- What was refused may be sent again.
delete from idempotency_keys
where token_id = %(token_id)s and key = %(key)s and claimed_at = %(claimed_at)s and status is null
