-- Since when this Redis holds what it holds, and the slot of the oldest result that waits: {since, slot or nothing}.
local since = redis.call('GET', SPILL_SINCE)
if not since then
  since = time[1] .. '.' .. time[2]
  redis.call('SET', SPILL_SINCE, since)
end
-- A server that starts again, or another one after a failover, may have less than was told to be there. Where we may not
-- ask which one it is (INFO), only one that was emptied is noticed.
local info = redis.pcall('INFO', 'server')
since = since .. '.' .. (type(info) == 'string' and string.match(info, 'run_id:(%x+)') or '')
local oldest = redis.call('ZRANGE', SPILL, 0, 0, 'WITHSCORES')
if not oldest[1] then
  return {since}
end
return {since, math.floor(tonumber(oldest[2]) / SPILL_A_SLOT)}
