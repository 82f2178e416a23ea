-- Forget kept pings that are committed. ARGV: the entries, from the front of the list on.
for _, entry in ipairs(ARGV) do
  if redis.call('LINDEX', PINGS, 0) == entry then
    redis.call('LPOP', PINGS)
  end
end
