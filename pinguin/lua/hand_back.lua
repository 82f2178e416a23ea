-- Give back jobs that will not be finished. ARGV: region, job, job, …   Returns how many were queued again.
-- One that is no longer ours, stale, or of an older version is left to the rules of reap and take.
local region, back = ARGV[1], 0
for i = 2, #ARGV do
  local job = parse_job(ARGV[i])
  local field = job.id .. '@' .. region
  local text = redis.call('HGET', DEFINITIONS, job.id)
  if redis.call('HGET', INFLIGHT, field) == 't' .. ARGV[i] then
    local definition = text and parse_definition(text)
    if definition and definition.version == job.version then
      hand_out_first(region, job.id, job.slot, definition, job.attempt + 1)
      back = back + 1
    else
      forget(field)
    end
  end
end
return back
