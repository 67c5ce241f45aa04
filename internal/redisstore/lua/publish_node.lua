-- Keeps what one node says of itself, and forgets nodes that fell silent.
-- KEYS: nodes:{all}
-- ARGV: id, its entry, now in ms, TTL in ms
-- An entry is "<end in ms> <JSON>", so that no JSON is read here. One that is
-- not ours has no end: it goes too, else it would be in everybody's way.
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  local ends = tonumber(string.match(entries[i + 1], '^(%d+) ') or 0)
  if ends <= tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], entries[i])
  end
end
return 1
