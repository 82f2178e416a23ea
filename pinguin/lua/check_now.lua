-- Queue a check of one monitor outside its slots. ARGV: id.
-- Returns -1 for a monitor that is not scheduled, or how many regions were asked (0: a check is already under way).
local text = redis.call('HGET', DEFINITIONS, ARGV[1])
if not text then
  return -1
end
local definition, asked = parse_definition(text), 0
for region in string.gmatch(definition.regions, '[^,]+') do
  if redis.call('HEXISTS', INFLIGHT, ARGV[1] .. '@' .. region) == 0 then
    hand_out_first(region, ARGV[1], extra_slot, definition, 1)
    asked = asked + 1
  end
end
return asked
