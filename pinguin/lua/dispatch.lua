-- Take what is due, lease it, queue it, set the next slot. In one call, so that any number of schedulers may race.
-- ARGV: limit. Returns {now_ms, due, pushed}; due == limit says that there is more.
--
-- Slots that passed while nobody dispatched are counted as missed and not run late, so an outage leaves no backlog.
local limit = tonumber(ARGV[1])
local due = redis.call('ZRANGEBYSCORE', SCHEDULE, '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
local pushed, missed, overlapping = 0, 0, 0
for i = 1, #due, 2 do
  local id, wanted = due[i], tonumber(due[i + 1])
  local text = redis.call('HGET', DEFINITIONS, id)
  if not text then
    redis.call('ZREM', SCHEDULE, id)  -- deleted in the middle of a dispatch
  else
    local definition = parse_definition(text)
    local slot = current_slot(definition)
    missed = missed + math.max(0, math.floor((slot - wanted) / definition.interval))
    redis.call('ZADD', SCHEDULE, slot + definition.interval, id)
    for region in string.gmatch(definition.regions, '[^,]+') do
      if redis.call('HEXISTS', INFLIGHT, id .. '@' .. region) == 1 then
        overlapping = overlapping + 1  -- its last job is still leased
      else
        hand_out('LPUSH', id, region, slot, definition, 1)
        pushed = pushed + 1
      end
    end
  end
end
count('pushed', pushed)
count('missed', missed)
count('overlapping', overlapping)
return {now_ms, #due / 2, pushed}
