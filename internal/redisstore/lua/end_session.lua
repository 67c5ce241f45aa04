-- Removes a session and returns whose it was, or "".
-- KEYS: sess:{sid}
-- pcall: a key of a wrong type must go as well.
local account = redis.pcall('HGET', KEYS[1], 'account')
redis.call('DEL', KEYS[1])
if type(account) == 'string' then
  return account
end
return ''
