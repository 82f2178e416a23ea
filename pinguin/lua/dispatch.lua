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

-- Many at a time: a command each would take ten times as long. Nor is a table made for each, or a text twice.
local next_slots, gone, missed = {}, {}, 0
local by_region, regions_of, slot_texts = {}, {}, {}
for i, id in ipairs(ids) do
  if not texts[i] then
    gone[#gone + 1] = id  -- deleted in the middle of a dispatch
  else
    local version, interval, phase, lease, regions = string.match(texts[i], DEFINITION)
    local slot = current_slot(interval, phase)
    local late = slot - due[2 * i]
    if late >= tonumber(interval) then
      missed = missed + math.floor(late / interval)
    end
    next_slots[#next_slots + 1] = slot + interval
    next_slots[#next_slots + 1] = id
    slot_texts[slot] = slot_texts[slot] or string.format(':%d:', slot)
    local job = id .. slot_texts[slot] .. version .. ':1'
    if not regions_of[regions] then
      regions_of[regions] = {}
      for region in string.gmatch(regions, '[^,]+') do
        by_region[region] = by_region[region] or {region = region, fields = {}, jobs = {}, leases = {}}
        table.insert(regions_of[regions], by_region[region])
      end
    end
    for _, asked in ipairs(regions_of[regions]) do
      local n = #asked.jobs + 1
      asked.fields[n], asked.jobs[n], asked.leases[n] = id .. '@' .. asked.region, job, lease
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
for region, asked in pairs(by_region) do
  local fields, jobs, leases = {}, {}, {}
  for i, held in ipairs(redis.call('HMGET', INFLIGHT, unpack(asked.fields))) do
    if held then
      overlapping = overlapping + 1  -- its last job is still leased
    else
      local n = #jobs + 1
      fields[n], jobs[n], leases[n] = asked.fields[i], asked.jobs[i], asked.leases[i]
    end
  end
  hand_out('LPUSH', region, fields, jobs, leases)
  pushed = pushed + #jobs
end
count('pushed', pushed)
count('missed', missed)
count('overlapping', overlapping)
return {now_ms, #ids, pushed}
