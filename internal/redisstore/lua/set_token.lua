-- Sets one token, only in a session that is there: HSET on an ended session
-- would bring half of it back, and without a TTL.
-- KEYS: sess:{sid}   ARGV: field, token, the field that the first release used,
-- how many fields there may be
-- What the first release wrote for this place must not stand beside it: it is
-- an older token, and would open the place still.
if redis.call('HGET', KEYS[1], 'account') == false then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HDEL', KEYS[1], ARGV[3])
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[4]) then
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, 4) == 'app ' and field ~= ARGV[1] then
      redis.call('HDEL', KEYS[1], field)
      break
    end
  end
end
return 1
