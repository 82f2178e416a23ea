-- End the leases of jobs whose results are committed. ARGV: all of them in one text, `id@REGION job` a line: hundreds of
-- arguments cost the client more than the text costs here.
-- A job that was handed out again meanwhile keeps its new lease.
local released = 0
for field, job in string.gmatch(ARGV[1], '([^\n]+) ([^ \n]+)') do
  local held = redis.call('HGET', INFLIGHT, field)
  if held and string.sub(held, 2) == job then
    forget(field)
    released = released + 1
  end
end
return released
