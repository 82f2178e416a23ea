-- Start the leases of jobs that a worker holds, and drain more without blocking.
-- ARGV: region, most, [the job that BRPOP gave]. Returns the jobs to run.
--
-- A job older than its interval is dropped, never run late. One that was handed out again since, or whose monitor was
-- changed, paused or deleted, is dropped too.
local region, most = ARGV[1], tonumber(ARGV[2])
local jobs = {}
if ARGV[3] then
  jobs[1] = ARGV[3]
end
if most > #jobs then
  for _, job in ipairs(redis.call('RPOP', QUEUE .. region, most - #jobs) or {}) do
    jobs[#jobs + 1] = job
  end
end
local taken, stale, superseded = {}, 0, 0
for _, text in ipairs(jobs) do
  local job = parse_job(text)
  local field = job.id .. '@' .. region
  if redis.call('HGET', INFLIGHT, field) ~= 'q' .. text then
    superseded = superseded + 1
  else
    local definition = redis.call('HGET', DEFINITIONS, job.id)
    definition = definition and parse_definition(definition)
    if not definition or definition.version ~= job.version then
      superseded = superseded + 1
      forget(field)
    elseif now - job.slot >= definition.interval then
      stale = stale + 1
      forget(field)
    else
      redis.call('HSET', INFLIGHT, field, 't' .. text)
      redis.call('ZADD', LEASES, now_ms + definition.lease, field)
      taken[#taken + 1] = text
    end
  end
end
count('stale', stale)
count('superseded', superseded)
return taken
