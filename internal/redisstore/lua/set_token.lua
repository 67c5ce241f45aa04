-- Sets one token, only in a session that is there: HSET on an ended session
-- would bring half of it back, and without a TTL.
-- KEYS: sess:{sid}   ARGV: field, token
if redis.call('HGET', KEYS[1], 'record') == false then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
