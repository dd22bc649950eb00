-- Three pipelined requests at a time, each slow enough that a second holds some hundreds.
local n = 0
request = function()
  n = n + 3
  return table.concat({
    wrk.format('GET', '/slow?ms=20&n=' .. n),
    wrk.format('POST', '/echo?n=' .. n, { ['Content-Type'] = 'application/json' }, '{"n":' .. n .. '}'),
    wrk.format('GET', '/chunked?chunks=2&n=' .. n),
  })
end
