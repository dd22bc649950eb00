# A thousand requests on one kept-alive connection, for tests that remove one response.
pair_up
serve s 8080 node "$RECORD/servers/node.mjs" 8080
capture s eth0 thousand
on c python3 -c '
import http.client
connection = http.client.HTTPConnection("10.77.0.1", 8080)
for n in range(1000):
    connection.request("GET", f"/echo?n={n}")
    connection.getresponse().read()
connection.close()'
capture_end
expected thousand
describe thousand 'a thousand requests one after the other on one connection, http.client to Node http' "Node $(node -v)" "$(python3 -V)"
