# The capture that ships as the first example: a small shop, captured on the bridge of a cluster's node.
# client 10.244.1.5, gateway (nginx) .10, catalog (Node) .21, orders (Go) .22, payments (gunicorn) .23, Redis .30,
# kubelet .1, Prometheus .40
. "$RECORD/servers/nginx_root.sh"
nginx_root "$WORK/gateway"
cp "$RECORD/shop/nginx.conf" "$WORK/gateway/nginx.conf"
printf 'h1 { color: teal }\nbody { font: 16px/1.5 sans-serif; margin: 2rem }\n%.0s' {1..8} >"$WORK/gateway/www/style.css"
(cd "$RECORD/shop/orders" && go build -o "$WORK/orders" .)
ns_up node
on node ip link add cni0 type bridge
on node ip link set cni0 up
on node ip addr add 10.244.1.1/24 dev cni0
for pod in client:5 gateway:10 catalog:21 orders:22 payments:23 redis:30 prometheus:40; do
  ns_up ${pod%:*}
  link ${pod%:*} eth0 10.244.1.${pod#*:}/24 - node veth${pod#*:} - -
  on node ip link set veth${pod#*:} master cni0
done
serve catalog 8080 node "$RECORD/shop/catalog.mjs"
serve payments 8080 gunicorn -k gthread --threads 4 --keep-alive 30 -b 0.0.0.0:8080 --chdir "$RECORD/shop" payments:application
serve orders 8080 "$WORK/orders" http://10.244.1.23:8080
serve gateway 80 nginx -p "$WORK/gateway" -c "$WORK/gateway/nginx.conf"
serve redis 6379 redis-server --port 6379 --save '' --protected-mode no --bind 0.0.0.0
probe() { for ip in 21 22 23; do on node curl -s -o /dev/null -A kube-probe/1.31 http://10.244.1.$ip:8080/healthz; done; }
scrape() { for ip in 21 22 23; do on prometheus curl -s -o /dev/null -A Prometheus/2.53.0 http://10.244.1.$ip:8080/metrics; done; }
ask() { on client curl -s -m 10 -A 'shop-web/2.4' -H 'Host: shop.test' "$@" >/dev/null; sleep 0.1; }
G=http://10.244.1.10
J='Content-Type: application/json'
probe; sleep 0.2
capture node cni0 shop 'not (icmp6 or arp or ether multicast)'
probe
on client python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x04shop\x04test\0\0\x01\0\x01", ("10.244.1.1", 53))' || true
ask $G/ $G/style.css $G/logo.png $G/favicon.ico --next -s --compressed -A shop-web/2.4 -H 'Host: shop.test' $G/api/products $G/api/products/42 $G/style.css?v=2
ask -I $G/api/products/42
ask --data-urlencode 'user=ada@example.test' --data-urlencode 'password=made up & long' $G/login
ask $G/old/teapots
on redis redis-cli SET session:ada 1 EX 60 >/dev/null
on client redis-cli -h 10.244.1.30 GET session:ada >/dev/null
ask "$G/api/search?q=kettle&sort=price" $G/api/products/999
ask -H "$J" -d '{"items":[{"product":42,"count":2},{"product":44,"count":1}]}' $G/api/orders
scrape; probe
ask $G/api/orders/1001 $G/api/orders/1001/events
ask -X PATCH -H "$J" -d '{"state":"packed"}' $G/api/orders/1001
ask -X PUT -H "$J" -d '{"state":"sent","address":{"street":"Příčná 7","city":"Brno"}}' $G/api/orders/1001
ask -H "$J" -d '{"order":1001,"amount":2970}' $G/api/payments
ask -H "$J" -d '{"order":1002,"amount":9000000}' $G/api/payments
ask -X DELETE $G/api/orders/1001
ask -k https://10.244.1.10/ https://10.244.1.10/api/products
probe; scrape
capture_end
mv "$OUT/shop.pcap.gz" "$ROOT/examples/shop.pcap.gz"
