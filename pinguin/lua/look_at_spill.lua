-- Since when this Redis holds what it holds, and the slot of the oldest result that waits: {since, slot or nothing}.
local since = redis.call('GET', SPILL_SINCE)
if not since then
  since = time[1] .. '.' .. time[2]
  redis.call('SET', SPILL_SINCE, since)
end
local oldest = redis.call('ZRANGE', SPILL, 0, 0, 'WITHSCORES')
if not oldest[1] then
  return {since}
end
return {since, math.floor(tonumber(oldest[2]) / SPILL_A_SLOT)}
