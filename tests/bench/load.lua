-- Sends the requests of a file in turn: wrk … -s load.lua URL -- FILE [check|patient]
-- The file has, for each request, a line `LENGTH TOKEN OWNER` and the request as it is sent. With `check` each answer must
-- be a success, and name the owner of the token in its `X-Subject-Token` if the file has owners. Who is `patient` comes again
-- when a 503 says so.

local requests, owners, threads = {}, {}, {}

-- Read from `done` in another Lua state, so global.
sent, checked, wrong = 0, 0, 0

local function read(name)
  local file = assert(io.open(name, "rb"))
  for line in file:lines() do
    local length, token, owner = line:match("^(%d+) (%S+) (%S+)$")
    requests[#requests + 1] = file:read(tonumber(length))
    file:read(1)
    if owner ~= "-" then owners[token] = owner end
  end
  file:close()
end

local function is_about_its_token(headers, body)
  for name, value in pairs(headers) do
    if name:lower() == "x-subject-token" then
      local owner = owners[value]
      return owner and body:find(owner, 1, true)
    end
  end
end

local function check(status, headers, body)
  checked = checked + 1
  local good = status == 200 or status == 201
  if not good or next(owners) and not is_about_its_token(headers, body) then wrong = wrong + 1 end
end

-- Milliseconds that refused clients are to wait.
local waits = {}

local function heed(status, headers)
  if status == 503 then waits[#waits + 1] = (tonumber(headers["retry-after"] or headers["Retry-After"]) or 1) * 1000 end
end

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  read(args[1])
  if #requests == 1 then
    -- One that never changes, which costs wrk nothing.
    wrk.format = function() return requests[1] end
  else
    request = function()
      sent = sent + 1
      return requests[(sent - 1) % #requests + 1]
    end
  end
  if args[2] == "check" then response = check end
  if args[2] == "patient" then
    response = heed
    delay = function() return table.remove(waits) or 0 end
  end
end

local function total(name)
  local sum = 0
  for _, thread in ipairs(threads) do sum = sum + thread:get(name) end
  return sum
end

function done(summary, latency)
  local errors = summary.errors
  local counts = {
    requests = summary.requests, microseconds = summary.duration,
    p50 = latency:percentile(50), p99 = latency:percentile(99),
    refused = errors.status, timeout = errors.timeout, broken = errors.connect + errors.read + errors.write,
    sent = total("sent"), checked = total("checked"), wrong = total("wrong"),
  }
  for name, value in pairs(counts) do io.write(string.format("found %s %d\n", name, value)) end
end
