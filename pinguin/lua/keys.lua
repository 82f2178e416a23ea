-- The keys of Pinguin in Redis. This text stands in front of every other script here.
--
-- key                    kind        holds
-- pinguin:schedule       sorted set  monitor id -> next slot (seconds since 1970, UTC)
-- pinguin:definitions    hash        monitor id -> version:interval:phase:lease:regions
--                                    (seconds, seconds, milliseconds, comma between regions; no options, no secrets)
-- pinguin:queue:REGION   list        jobs, id:slot:version:attempt; LPUSH at the head, BRPOP from the tail
-- pinguin:inflight       hash        id@REGION -> q or t (queued, taken) and the job; one job a monitor and region
-- pinguin:leases         sorted set  id@REGION -> expiry of its job's lease (milliseconds since 1970)
-- pinguin:counters       hash        how many jobs were pushed, missed, overlapping, stale, superseded, reaped; how many
--                                    results were spilled, lost, and told to people as lost (lost_told)
-- pinguin:leader         string      fencing token of the leader, with an expiry
-- pinguin:epoch          integer     the last fencing number given out
-- pinguin:spill          sorted set  results that wait for Postgres, as JSON -> number, in the order of their slots
-- pinguin:spill:healthy  sorted set  number -> number of those whose monitor was up: past the limit these go first
-- pinguin:spill:number   integer     counts on with each of them from some number, which makes each number another
-- pinguin:spill:since    string      when somebody first looked; another one says that Redis was emptied meanwhile
-- pinguin:spill:aside    list        results and pings that could not be read or written, for people
-- pinguin:drainer        string      who writes spilled results just now, with an expiry
-- pinguin:workers        sorted set  REGION/name of every worker -> when it was last seen (seconds since 1970)
-- pinguin:pings          list        pings of jobs that wait for Postgres, oldest first: microseconds since 1970:JSON
-- pinguin:pings:drainer  string      who writes those just now, with an expiry
-- pinguin:events         pub/sub     hints: monitors changed, results recorded (the truth is in Postgres)
--
-- The only clock of dispatch is this server's TIME.

local SCHEDULE, DEFINITIONS, QUEUE = 'pinguin:schedule', 'pinguin:definitions', 'pinguin:queue:'
local INFLIGHT, LEASES, COUNTERS, LEADER = 'pinguin:inflight', 'pinguin:leases', 'pinguin:counters', 'pinguin:leader'
local SPILL, SPILL_HEALTHY, SPILL_NUMBER = 'pinguin:spill', 'pinguin:spill:healthy', 'pinguin:spill:number'
local SPILL_SINCE = 'pinguin:spill:since'
local SPILL_A_SLOT = 2 ^ 20  -- numbers for the results of one slot
local PINGS = 'pinguin:pings'

local LONGEST_LEASE = 310 * 1000  -- milliseconds: the longest timeout, and the margin

local time = redis.call('TIME')
local now = tonumber(time[1])
local now_ms = now * 1000 + math.floor(tonumber(time[2]) / 1000)

local DEFINITION = '^(%d+):(%d+):(%d+):(%d+):(.+)$'

local function parse_definition(text)
  local version, interval, phase, lease, regions = string.match(text, DEFINITION)
  return {
    version = tonumber(version), interval = tonumber(interval), phase = tonumber(phase), lease = tonumber(lease),
    regions = regions,
  }
end

local function parse_job(job)
  local id, slot, version, attempt = string.match(job, '^(%d+):(%d+):(%d+):(%d+)$')
  return {id = id, slot = tonumber(slot), version = tonumber(version), attempt = tonumber(attempt)}
end

-- The newest slot that is not in the future.
local function current_slot(interval, phase)
  return now - (now - phase) % interval
end

-- When a monitor is due next; nil where the schedule has no use for what it holds: nothing, or a time beyond an interval
-- from now, which is from before the clock was set back.
local function scheduled(id, definition)
  local slot = redis.call('ZSCORE', SCHEDULE, id)
  return slot and tonumber(slot) <= now + definition.interval and slot or nil
end

-- The slot of a check out of turn: the next second, whose key no recorded result has yet. Where that is a regular slot,
-- this is its check, only sooner.
local extra_slot = now + 1

local function count(name, n)
  if n > 0 then
    redis.call('HINCRBY', COUNTERS, name, n)
  end
end

-- Queue jobs of one region and take their leases. Three lists of up to 1000: id@REGION, job, lease in milliseconds.
-- `push` is LPUSH, or RPUSH for jobs that must not wait twice.
local function hand_out(push, region, fields, jobs, leases)
  local inflight, ends = {}, {}
  for i, field in ipairs(fields) do
    inflight[2 * i - 1], inflight[2 * i] = field, 'q' .. jobs[i]
    ends[2 * i - 1], ends[2 * i] = now_ms + leases[i], field
  end
  if #fields > 0 then
    redis.call(push, QUEUE .. region, unpack(jobs))
    redis.call('HSET', INFLIGHT, unpack(inflight))
    redis.call('ZADD', LEASES, unpack(ends))
  end
end

-- One job, before all that wait.
local function hand_out_first(region, id, slot, definition, attempt)
  local job = string.format('%s:%d:%d:%d', id, slot, definition.version, attempt)
  hand_out('RPUSH', region, {id .. '@' .. region}, {job}, {definition.lease})
end

local function forget(field)
  redis.call('HDEL', INFLIGHT, field)
  redis.call('ZREM', LEASES, field)
end
