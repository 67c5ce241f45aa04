-- Takes one counted try back, as if it had not been made: where it was one of
-- those that filled the window last, the wait and its doubling are lifted.
-- KEYS: lim:{…}, lim:{…}:filled   ARGV: id of the try
-- A second call for the same try changes nothing.
local ids = redis.call('HGET', KEYS[2], 'ids')
redis.call('ZREM', KEYS[1], ARGV[1])
if not ids or not string.find(' ' .. ids .. ' ', ' ' .. ARGV[1] .. ' ', 1, true) then
  return 0
end
local level = tonumber(redis.call('HGET', KEYS[2], 'level'))
if not level or level <= 1 then
  redis.call('DEL', KEYS[2])
else
  redis.call('HDEL', KEYS[2], 'until', 'ids')
  redis.call('HSET', KEYS[2], 'level', string.format('%.0f', level - 1))
end
return 1
