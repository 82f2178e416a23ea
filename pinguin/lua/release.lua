-- End the leases of jobs whose results are committed. ARGV: id@REGION, job, id@REGION, job, …
-- A job that was handed out again meanwhile keeps its new lease.
local released = 0
for i = 1, #ARGV, 2 do
  local held = redis.call('HGET', INFLIGHT, ARGV[i])
  if held and string.sub(held, 2) == ARGV[i + 1] then
    forget(ARGV[i])
    released = released + 1
  end
end
return released
