# Loopback with its large segments, IPv4 and IPv6; captured once on lo and once with -i any.
ns_up c
serve c 8080 node "$RECORD/servers/node.mjs" 8080
capture c lo loopback tcp
capture c any loopback-any tcp
for host in 127.0.0.1 '[::1]'; do
  get "http://$host:8080/echo?n=1" "http://$host:8080/size?bytes=300000" "http://$host:8080/encoded?as=gzip"
  get -H 'content-type: application/json' -d '{"a":1}' "http://$host:8080/echo?n=2" "http://$host:8080/trailers"
done
capture_end
expected loopback
expected loopback-any
describe loopback 'curl to Node http over 127.0.0.1 and ::1 with segments of up to 64 KB, on lo' "Node $(node -v)"
describe loopback-any 'the same exchanges with tcpdump -i any (Linux cooked v2)' "Node $(node -v)"
