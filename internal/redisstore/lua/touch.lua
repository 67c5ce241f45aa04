-- Records a use, unless a newer one is recorded: nodes report in any order.
-- KEYS: act:{sid}   ARGV: time as 19 digits of nanoseconds, TTL in ms
-- Digits of one length compare as text; as Lua numbers they would lose their end.
local newest = redis.call('GET', KEYS[1])
if newest and newest > ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
