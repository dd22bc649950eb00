# A router with a small MTU and no path MTU discovery: TCP segments arrive as IPv4 fragments.
ns_up c; ns_up r; ns_up s
link c eth0 10.77.0.2/24 - r eth0 10.77.0.254/24 -
link r eth1 10.77.1.254/24 - s eth0 10.77.1.1/24 -
on c ip route add 10.77.1.0/24 via 10.77.0.254
on s ip route add 10.77.0.0/24 via 10.77.1.254
on r sysctl -qw net.ipv4.ip_forward=1
on r ip route replace 10.77.1.0/24 dev eth1 mtu lock 700
on r ip route replace 10.77.0.0/24 dev eth0 mtu lock 900
for ns in c s; do on $ns sysctl -qw net.ipv4.ip_no_pmtu_disc=1; on $ns ethtool -K eth0 tso off gso off gro off >/dev/null; done
on r ethtool -K eth0 gro off tso off gso off >/dev/null; on r ethtool -K eth1 gro off tso off gso off >/dev/null
serve s - node "$RECORD/servers/node.mjs" 8080
sleep 1
: >"$TRUTH"
capture s eth0 fragments-server
capture c eth0 fragments-client
B=http://10.77.1.1:8080
get "$B/echo?n=1" "$B/size?bytes=20000" "$B/chunked?chunks=30"
head -c 9000 /dev/zero | tr '\0' 'f' >"$WORK/up"
get -H 'content-type: application/json' --data-binary @"$WORK/up" "$B/echo?n=up" "$B/echo?n=up2"
capture_end
expected fragments-server
expected fragments-client
describe fragments-server 'curl to Node http through a router that fragments, captured at the server: requests in IPv4 fragments' "Node $(node -v)"
describe fragments-client 'the same exchanges captured at the client: answers in IPv4 fragments' "Node $(node -v)"
