-- Bring back jobs whose lease expired. ARGV: limit. Returns {expired, handed out again}.
--
-- A job that no worker started may still wait in its queue. Queues are in the order of slots, so it does when the
-- tail is no newer: then the lease goes on. (Otherwise a queue without workers would grow for ever.)
local limit = tonumber(ARGV[1])
local expired = redis.call('ZRANGEBYSCORE', LEASES, '-inf', now_ms, 'LIMIT', 0, limit)
local again, stale = 0, 0
for _, field in ipairs(expired) do
  local id, region = string.match(field, '^(%d+)@(.+)$')
  local held = redis.call('HGET', INFLIGHT, field)
  local text = redis.call('HGET', DEFINITIONS, id)
  if not held or not text then
    forget(field)
  else
    local definition, job = parse_definition(text), parse_job(string.sub(held, 2))
    local tail = redis.call('LINDEX', QUEUE .. region, -1)
    if string.sub(held, 1, 1) == 'q' and tail and parse_job(tail).slot <= job.slot then
      redis.call('ZADD', LEASES, now_ms + definition.lease, field)
    elseif job.version ~= definition.version or now - job.slot >= definition.interval then
      stale = stale + 1
      forget(field)
    else
      hand_out_first(region, id, job.slot, definition, job.attempt + 1)
      again = again + 1
    end
  end
end
-- Leases from before the clock was set back would hold their monitors for as long.
for _, field in ipairs(redis.call('ZRANGEBYSCORE', LEASES, now_ms + LONGEST_LEASE, '+inf', 'LIMIT', 0, limit)) do
  redis.call('ZADD', LEASES, now_ms, field)
end
count('stale', stale)
count('reaped', again)
return {#expired, again}
