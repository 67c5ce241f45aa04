-- A script of wrk: GET /, by each of many browsers in turn.
-- Its arguments: the Host, the file of the headers that all send, one a line,
-- and the file of the Cookie headers, one browser a line.

local requests, turn = {}, 0

function init(args)
	local common = ""
	for line in io.lines(args[2]) do
		common = common .. line .. "\r\n"
	end
	for cookie in io.lines(args[3]) do
		local own = cookie ~= "" and "Cookie: " .. cookie .. "\r\n" or ""
		table.insert(requests, "GET / HTTP/1.1\r\nHost: " .. args[1] .. "\r\n" .. common .. own .. "\r\n")
	end
end

function request()
	turn = turn % #requests + 1
	return requests[turn]
end

-- What the measurement reads: requests, microseconds, failures, and the 99th
-- percentile of the latency in microseconds.
function done(summary, latency)
	local e = summary.errors
	print(string.format("RESULT %d %d %d %d", summary.requests, summary.duration,
		e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(99)))
end
