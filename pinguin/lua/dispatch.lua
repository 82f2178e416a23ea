-- Take what is due, lease it, queue it, set the next slot. In one call, so that any number of schedulers may race.
-- ARGV: limit, 1000 at the most. Returns {now_ms, due, pushed}; due == limit says that there is more.
--
-- Slots that passed while nobody dispatched are counted as missed and not run late, so an outage leaves no backlog.
local due = redis.call('ZRANGEBYSCORE', SCHEDULE, '-inf', now, 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[1]))
if #due == 0 then
  return {now_ms, 0, 0}
end

local ids = {}
for i = 1, #due, 2 do
  ids[#ids + 1] = due[i]
end
local texts = redis.call('HMGET', DEFINITIONS, unpack(ids))

-- Many at a time: a command each would take ten times as long.
local next_slots, gone, by_region, missed = {}, {}, {}, 0
for i, id in ipairs(ids) do
  if not texts[i] then
    gone[#gone + 1] = id  -- deleted in the middle of a dispatch
  else
    local definition = parse_definition(texts[i])
    local slot = current_slot(definition)
    missed = missed + math.max(0, math.floor((slot - tonumber(due[2 * i])) / definition.interval))
    next_slots[#next_slots + 1] = slot + definition.interval
    next_slots[#next_slots + 1] = id
    for region in string.gmatch(definition.regions, '[^,]+') do
      by_region[region] = by_region[region] or {}
      table.insert(by_region[region], {id = id, slot = slot, definition = definition, attempt = 1})
    end
  end
end
if #gone > 0 then
  redis.call('ZREM', SCHEDULE, unpack(gone))
end
if #next_slots > 0 then
  redis.call('ZADD', SCHEDULE, unpack(next_slots))
end

local pushed, overlapping = 0, 0
for region, orders in pairs(by_region) do
  local fields, free = {}, {}
  for i, order in ipairs(orders) do
    fields[i] = order.id .. '@' .. region
  end
  for i, held in ipairs(redis.call('HMGET', INFLIGHT, unpack(fields))) do
    if held then
      overlapping = overlapping + 1  -- its last job is still leased
    else
      free[#free + 1] = orders[i]
    end
  end
  hand_out('LPUSH', region, free)
  pushed = pushed + #free
end
count('pushed', pushed)
count('missed', missed)
count('overlapping', overlapping)
return {now_ms, #ids, pushed}
