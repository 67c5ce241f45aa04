-- Stores a new flow and keeps the browser's flows to a number.
-- KEYS: flow:{browser}:<id>, flows:{browser}
-- ARGV: TTL in ms, time of creation in µs, id, version, record,
--       what the keys of the browser's flows begin with, how many there may be
-- On a full server the first write must be one that it refuses: after a DEL it
-- lets a script write on.
redis.call('HSET', KEYS[1], 'version', ARGV[4], 'record', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[2], ARGV[1])
end

-- Expired flows first: they must not push out one that is in use.
local ids = redis.call('ZRANGE', KEYS[2], 0, -1)
local live = {}
for _, id in ipairs(ids) do
  if redis.call('EXISTS', ARGV[6] .. id) == 1 then
    live[#live + 1] = id
  else
    redis.call('ZREM', KEYS[2], id)
  end
end
-- Then the oldest, but never the new one: another node's clock may be ahead.
local surplus = #live - tonumber(ARGV[7])
for _, id in ipairs(live) do
  if surplus > 0 and id ~= ARGV[3] then
    redis.call('DEL', ARGV[6] .. id)
    redis.call('ZREM', KEYS[2], id)
    surplus = surplus - 1
  end
end
return 1
