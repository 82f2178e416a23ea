-- Write definitions. Only the leader may: everybody else's token is refused with -1, so that what one process read
-- before an edit never overwrites what another read after it.
-- ARGV: token, soon (1 or 0), id, definition or '', id, …   Returns how many changed.
--
-- An empty definition removes the monitor. soon: check a changed monitor at once instead of at its next slot.
if redis.call('GET', LEADER) ~= ARGV[1] then
  return -1
end
local soon, changed = ARGV[2] == '1', 0
for i = 3, #ARGV, 2 do
  local id, text = ARGV[i], ARGV[i + 1]
  if redis.call('HGET', DEFINITIONS, id) ~= text then
    if text == '' then
      changed = changed + redis.call('HDEL', DEFINITIONS, id)
      redis.call('ZREM', SCHEDULE, id)
    else
      local definition = parse_definition(text)
      redis.call('HSET', DEFINITIONS, id, text)
      redis.call('ZADD', SCHEDULE, current_slot(definition.interval, definition.phase) + definition.interval, id)
      if soon then
        for region in string.gmatch(definition.regions, '[^,]+') do
          hand_out_first(region, id, extra_slot, definition, 1)
        end
      end
      changed = changed + 1
    end
  elseif text ~= '' then
    local definition = parse_definition(text)
    if not scheduled(id, definition) then
      redis.call('ZADD', SCHEDULE, current_slot(definition.interval, definition.phase) + definition.interval, id)
      changed = changed + 1
    end
  end
end
return changed
