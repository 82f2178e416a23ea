-- Keep results while Postgres is away. ARGV: limit, then healthy (1 or 0), slot, result, healthy, slot, result, …
-- Returns how many results were lost to the limit: the oldest of healthy monitors first, then the oldest. One that was lost,
-- and is put there again by its worker, is lost and counted again: the count says too much rather than too little.
local limit, spilled, lost = tonumber(ARGV[1]), 0, 0
-- Where Redis was emptied, numbers go on elsewhere: a worker that still writes an older batch drops it by its numbers.
redis.call('SET', SPILL_NUMBER, time[2], 'NX')
for i = 2, #ARGV, 3 do
  local number = tonumber(ARGV[i + 1]) * SPILL_A_SLOT + redis.call('INCR', SPILL_NUMBER) % SPILL_A_SLOT
  -- A worker that got no answer comes again with the same results: they keep their place.
  local added = redis.call('ZADD', SPILL, 'NX', number, ARGV[i + 2])
  spilled = spilled + added
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
count('spilled', spilled)
count('lost', lost)
return lost
