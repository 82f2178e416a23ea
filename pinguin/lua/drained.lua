-- Forget spilled results that are committed. ARGV: number, number, …
for _, number in ipairs(ARGV) do
  redis.call('ZREMRANGEBYSCORE', SPILL, number, number)
end
redis.call('ZREM', SPILL_HEALTHY, unpack(ARGV))
return redis.call('ZCARD', SPILL)
