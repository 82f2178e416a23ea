-- Keep results while Postgres is away. ARGV: limit, then healthy (1 or 0), result, healthy, result, …
-- Returns how many results were lost to the limit: the oldest of healthy monitors first, then the oldest.
local limit, lost = tonumber(ARGV[1]), 0
for i = 2, #ARGV, 2 do
  local number = redis.call('INCR', SPILL_NUMBER)
  redis.call('ZADD', SPILL, number, ARGV[i + 1])
  if ARGV[i] == '1' then
    redis.call('ZADD', SPILL_HEALTHY, number, number)
  end
end
for _ = 1, redis.call('ZCARD', SPILL) - limit do
  local healthy = redis.call('ZPOPMIN', SPILL_HEALTHY)
  if healthy[1] then
    redis.call('ZREMRANGEBYSCORE', SPILL, healthy[2], healthy[2])
  else
    redis.call('ZPOPMIN', SPILL)
  end
  lost = lost + 1
end
count('spilled', (#ARGV - 1) / 2)
count('lost', lost)
return lost
