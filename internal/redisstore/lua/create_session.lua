-- Stores a whole session with its TTL.
-- KEYS: sess:{sid}   ARGV: TTL in ms, then field, value, field, value, …
-- A repeated call sets the same fields again. On a full server the first write
-- must be one that it refuses: after a DEL it lets a script write on.
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
