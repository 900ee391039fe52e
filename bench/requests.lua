-- Sends the requests of a file in turn, beginning anywhere, from another client address each time, and prints figures as JSON.
-- Arguments: the file (a line is a path, or a path, a tab and a JSON body; a method may stand before it), a header or "-", milliseconds
-- between an answer and the next request on its connection.
-- The addresses stand in X-Forwarded-For: limits by address are at work and refuse none of them.

local heads, tails, last, client = {}, {}, 0, 0

function init(args)
  local header, pause = args[2], tonumber(args[3])
  local host = "Host: " .. wrk.host .. ":" .. wrk.port .. "\r\n"
  local who = header ~= "-" and header .. "\r\n" or ""
  for line in io.lines(args[1]) do
    local path, body = line:match("^([^\t]+)\t?(.*)$")
    local method, rest = path:match("^(%u+) (.*)$")
    path, method = rest or path, method or (body ~= "" and "POST" or "GET")
    local content = body ~= "" and
      "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n" or ""
    heads[#heads + 1] = method .. " " .. path .. " HTTP/1.1\r\n" .. host
      .. who .. content .. "X-Forwarded-For: 10."
    tails[#tails + 1] = ".1\r\n\r\n" .. body
  end
  math.randomseed(os.time())
  client = math.random(65536)
  last = math.random(#heads) - 1
  if pause > 0 then
    delay = function() return pause end
  end
end

function request()
  last = last % #heads + 1
  client = (client + 1) % 65536
  return heads[last] .. math.floor(client / 256) .. "." .. client % 256 .. tails[last]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "most": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    e.status, e.connect + e.read + e.write + e.timeout))
end
