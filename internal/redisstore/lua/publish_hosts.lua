-- Says which hosts one node serves, and forgets nodes that fell silent.
-- KEYS: hosts:{all}
-- ARGV: node, its entry, now in ms, TTL in ms
-- An entry is "<end in ms> <JSON>", so that no JSON is read here.
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  local ends = tonumber(string.match(entries[i + 1], '^(%d+) '))
  if ends and ends <= tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], entries[i])
  end
end
return 1
