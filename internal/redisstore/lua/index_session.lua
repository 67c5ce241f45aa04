-- Lists a session under its account, before the session itself is stored.
-- KEYS: sessions:{account}   ARGV: TTL in ms, time of creation in µs, sid
-- The index lives as long as the longest of its sessions.
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return 1
