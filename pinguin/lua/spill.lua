-- Keep results while Postgres is away. ARGV: limit, then healthy (1 or 0), result, healthy, result, …
-- Returns {how many results were lost to the limit, the last number, since when Redis counts}. The oldest results of
-- healthy monitors are lost first, then the oldest.
local limit, lost = tonumber(ARGV[1]), 0
redis.call('SET', SPILL_SINCE, time[1] .. '.' .. time[2], 'NX')
for i = 2, #ARGV, 2 do
  local number = redis.call('INCR', SPILL_NUMBER)
  -- A worker that got no answer comes again with the same results: they keep their place.
  local added = redis.call('ZADD', SPILL, 'NX', number, ARGV[i + 1])
  if added == 1 and ARGV[i] == '1' then
    redis.call('ZADD', SPILL_HEALTHY, number, number)
  end
end
local beyond = redis.call('ZCARD', SPILL) - limit
while lost < beyond do
  local healthy = redis.call('ZPOPMIN', SPILL_HEALTHY)
  if healthy[1] then
    lost = lost + redis.call('ZREMRANGEBYSCORE', SPILL, healthy[2], healthy[2])
  else
    redis.call('ZPOPMIN', SPILL)
    lost = lost + 1
  end
end
count('spilled', (#ARGV - 1) / 2)
count('lost', lost)
return {lost, tonumber(redis.call('GET', SPILL_NUMBER)), redis.call('GET', SPILL_SINCE)}
