-- Renew or give up leadership, by compare-and-set. ARGV: token, milliseconds (0 gives it up). Returns 1 if it was held.
if redis.call('GET', LEADER) ~= ARGV[1] then
  return 0
end
if tonumber(ARGV[2]) == 0 then
  redis.call('DEL', LEADER)
else
  redis.call('PEXPIRE', LEADER, ARGV[2])
end
return 1
