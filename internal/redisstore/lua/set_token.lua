-- Sets one token, only in a session that is there: HSET on an ended session
-- would bring half of it back, and without a TTL.
-- KEYS: sess:{sid}   ARGV: field, token, the field that the first release used,
-- how many fields there may be. Past that some app's token goes.
-- What the first release wrote for this place must not stand beside it: it is
-- an older token, and would open the place still.
if redis.call('HGET', KEYS[1], 'account') == false then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HDEL', KEYS[1], ARGV[3])
local all = redis.call('HGETALL', KEYS[1])
if #all / 2 > tonumber(ARGV[4]) then
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 4) == 'app ' and all[i] ~= ARGV[1] then
      redis.call('HDEL', KEYS[1], all[i])
      break
    end
  end
end
return 1
