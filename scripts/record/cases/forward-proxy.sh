# A forward proxy, captured on it with -i any as Linux cooked v1: absolute-form requests, CONNECT with TLS and with HTTP inside.
. "$RECORD/servers/nginx_root.sh"
nginx_root "$WORK/nginx"
ns_up c; ns_up p; ns_up s
link c eth0 10.77.0.2/24 - p eth0 10.77.0.1/24 -
link p eth1 10.77.1.2/24 - s eth0 10.77.1.1/24 -
cat >"$WORK/tinyproxy.conf" <<'CONF'
Port 8888
Timeout 20
ConnectPort 443
ConnectPort 8080
DisableViaHeader Yes
CONF
serve p 8888 tinyproxy -d -c "$WORK/tinyproxy.conf"
serve s 443 nginx -p "$WORK/nginx" -c "$WORK/nginx/nginx.conf"
serve s 8080 node "$RECORD/servers/node.mjs" 8080
capture p any forward-proxy -y LINUX_SLL tcp
P=http://10.77.0.1:8888
for n in 1 2 3; do get -x $P "http://10.77.1.1:8080/echo?n=$n" "http://10.77.1.1:8080/chunked?chunks=$n"; done
get -x $P -H 'content-type: application/json' -d '{"via":"proxy"}' "http://10.77.1.1:8080/echo?n=post"
get -x $P -I "http://10.77.1.1:8080/echo?n=head"
# the server's exchanges are captured on both sides of the proxy, in absolute form on the client's
python3 - "$TRUTH" <<'PY'
import json, sys
entries = [json.loads(line) for line in open(sys.argv[1])]
with open(sys.argv[1], 'a') as out:
    for entry in entries:
        out.write(json.dumps({**entry, 'target': 'http://10.77.1.1:8080' + entry['target']}) + '\n')
PY
get -x $P -p "http://10.77.1.1:8080/echo?n=tunnel" "http://10.77.1.1:8080/echo?n=tunnel2"
get -x $P -k https://10.77.1.1/data/list.json https://10.77.1.1/data/n1.json
get -x $P -p https://10.77.1.1:9/refused
capture_end
cat >>"$TRUTH" <<'LINES'
{"method":"CONNECT","target":"10.77.1.1:8080","status":200,"responseBody":{"size":0}}
{"method":"CONNECT","target":"10.77.1.1:443","status":200,"responseBody":{"size":0}}
{"method":"CONNECT","target":"10.77.1.1:9","status":403,"expect":"may","why":"the client resets while the answer is being sent"}
{"method":"GET","target":"/echo?n=tunnel","status":200,"expect":"may","why":"inside a tunnel"}
{"method":"GET","target":"/echo?n=tunnel2","status":200,"expect":"may","why":"inside a tunnel"}
LINES
expected forward-proxy
describe forward-proxy 'curl through tinyproxy to Node and nginx, captured on the proxy with -i any (Linux cooked v1): absolute-form targets, CONNECT with TLS inside, with plain HTTP inside, and refused' "$(tinyproxy -v)" "Node $(node -v)" "$(nginx -v 2>&1 | sed 's/.*: //')"
