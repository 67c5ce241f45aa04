-- Stores a flow if nobody did since it was read.
-- KEYS: flow:{browser}:<id>, flows:{browser}
-- ARGV: TTL in ms, expected version, next version, record
-- Returns 1; 0 when there is no such flow; -1 when its version is another.
local version = redis.call('HGET', KEYS[1], 'version')
if version == false then
  return 0
end
if version ~= ARGV[2] then
  return -1
end
redis.call('HSET', KEYS[1], 'version', ARGV[3], 'record', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
local index = redis.call('PTTL', KEYS[2])
if index >= 0 and index < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
return 1
