# What is not HTTP/1: TLS, HTTP/2 in plain text, Redis, DNS, and bytes that look a little like HTTP. Nothing is expected.
. "$RECORD/servers/nginx_root.sh"
nginx_root "$WORK/nginx"
pair_up
serve s 80 nginx -p "$WORK/nginx" -c "$WORK/nginx/nginx.conf"
serve s 6379 redis-server --port 6379 --save '' --protected-mode no --bind 0.0.0.0
serve s 9000 python3 "$RECORD/servers/lines.py" 9000
capture s eth0 not-http
get -k https://10.77.0.1/data/list.json https://10.77.0.1/data/n1.json
get --http2-prior-knowledge http://10.77.0.1:81/data/list.json http://10.77.0.1:81/data/n1.json
for command in PING "SET key GET-value" "GET key" "HSET h a 1" "GET / HTTP/1.1"; do on c redis-cli -h 10.77.0.1 $command >/dev/null; done
on c python3 "$RECORD/clients/raw.py" 10.77.0.1 9000 'text:GET the kettle\n' wait:0.1 'text:POST office\r\n\r\n' wait:0.1 'text:HTTP/1.1 is not spoken here\r\n' wait:0.1
on c python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x04shop\x04test\0\0\x01\0\x01", ("10.77.0.1", 53))'
capture_end
: >"$TRUTH"
expected not-http
describe not-http 'TLS and HTTP/2 with prior knowledge to nginx, Redis, DNS, and lines that begin like HTTP: no pair is right' "$(nginx -v 2>&1 | sed 's/.*: //')" "Redis $(redis-server --version | grep -o 'v=[0-9.]*' | cut -c3-)" "$(curl --version | head -1 | cut -d' ' -f1,2)"
