-- Counts one try in a sliding window, or refuses it and counts nothing.
-- KEYS: lim:{…} (tries), lim:{…}:filled (only where filled windows double)
-- ARGV: now, id of the try, n, window, highest wait or 0: times in µs;
--       TTL of the tries, TTL of the memory of filled windows: in ms
-- Returns {1, tries left} or {0, µs until a try is counted again}.
--
-- lim:{…}:filled holds
--   level  how many windows were filled since the last clear
--   until  the end of the wait that the last of them set
--   ids    the tries that filled it, to know whether one is given back
local now, id, n, window = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local highest = tonumber(ARGV[5])

local function integer(x) return string.format('%.0f', x) end

-- A number that we did not write must refuse, not count as zero.
local function stored(field)
  local text = redis.call('HGET', KEYS[2], field)
  if text == false then return 0 end
  local x = tonumber(text)
  if x == nil or x ~= x or x < 0 or x > 9007199254740992 then
    error('sallyport: ' .. field .. ' of a counter is damaged')
  end
  return x
end

-- The same try again, because its first answer was lost: it is counted once.
if redis.call('ZSCORE', KEYS[1], id) then
  local count = redis.call('ZCARD', KEYS[1])
  return {1, math.max(0, n - count)}
end

local level = 0
if highest > 0 then
  level = stored('level')
  local wait = stored('until') - now
  if wait > 0 then
    -- A clock that was set back must not make the wait longer than any is.
    return {0, integer(math.min(wait, math.max(window, highest)))}
  end
end

-- All reads come first: when memory is full the first write fails, and with
-- it the script, before it did anything.
local past = integer(now - window)
local count = redis.call('ZCOUNT', KEYS[1], '(' .. past, '+inf')
if count >= n then
  -- The try whose leaving makes room: the oldest, or a later one where the
  -- limit was lowered meanwhile.
  local from = redis.call('ZCOUNT', KEYS[1], '-inf', past) + count - n
  local oldest = redis.call('ZRANGE', KEYS[1], from, from, 'WITHSCORES')
  return {0, integer(math.max(1, math.min(tonumber(oldest[2]) + window - now, window)))}
end

redis.call('ZADD', KEYS[1], integer(now), id)
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', past)

if highest > 0 and count + 1 == n then
  local wait = window
  for _ = 1, level do
    if wait >= highest then break end
    wait = wait * 2
  end
  wait = math.max(window, math.min(wait, highest))
  local tries = redis.call('ZRANGE', KEYS[1], 0, -1)
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  redis.call('HSET', KEYS[2],
    'level', integer(level + 1),
    'until', integer(tonumber(oldest[2]) + wait),
    'ids', table.concat(tries, ' '))
  redis.call('PEXPIRE', KEYS[2], ARGV[7])
end
return {1, n - count - 1}
