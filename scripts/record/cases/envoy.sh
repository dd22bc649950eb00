# Envoy as a reverse proxy, captured on the proxy with tcpdump -i any: both sides of every exchange.
ns_up c; ns_up p; ns_up s
link c eth0 10.77.0.2/24 - p eth0 10.77.0.1/24 -
link p eth1 10.77.1.2/24 - s eth0 10.77.1.1/24 -
serve p 10000 envoy -c "$RECORD/servers/envoy.yaml" --concurrency 1 --log-level error --file-flush-interval-msec 100 --log-path "$WORK/envoy.log"
serve s - node "$RECORD/servers/node.mjs" 8080
sleep 1
: >"$TRUTH"
capture p any envoy tcp
on c node "$RECORD/clients/undici.mjs" http://10.77.0.1:10000 28 2
get http://10.77.0.1:10000/direct "http://10.77.0.1:10000/sse?n=3" "http://10.77.0.1:10000/trailers" "http://10.77.0.1:10000/status?code=503"
get -H 'Expect: 100-continue' -H 'content-type: application/json' -d '{"a":1}' "http://10.77.0.1:10000/echo?n=expect"
get -I "http://10.77.0.1:10000/echo?n=head"
on c hey -n 20 -c 2 "http://10.77.0.1:10000/echo?n=hey" >/dev/null
capture_end
python3 "$RECORD/servers/envoy_truth.py" /tmp/itg-envoy-access.log >>"$TRUTH"
rm -f /tmp/itg-envoy-access.log
expected envoy
describe envoy 'fetch, curl and hey through Envoy to Node, captured on the proxy with -i any (Linux cooked v2): both sides of each exchange, and answers of Envoy itself' "Envoy $(envoy --version | grep -o '[0-9]*\.[0-9]*\.[0-9]*' | head -1)" "Node $(node -v)" 'hey 0.1'
