-- Keep a ping while Postgres is away. ARGV: limit, the ping. Returns 0 where the list is full: nothing is taken then.
if redis.call('LLEN', PINGS) >= tonumber(ARGV[1]) then
  return 0
end
redis.call('RPUSH', PINGS, string.format('%d%06d:', now, tonumber(time[2])) .. ARGV[2])
return 1
