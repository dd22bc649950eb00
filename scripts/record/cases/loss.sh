# A network that loses, delays and reorders in both directions, captured at both ends: real retransmissions and holes that fill.
ns_up c; ns_up r; ns_up s
link c eth0 10.77.0.2/24 - r eth0 10.77.0.254/24 -
link r eth1 10.77.1.254/24 - s eth0 10.77.1.1/24 -
on c ip route add 10.77.1.0/24 via 10.77.0.254
on s ip route add 10.77.0.0/24 via 10.77.1.254
on r sysctl -qw net.ipv4.ip_forward=1
for at in c:eth0 s:eth0; do on ${at%:*} ethtool -K ${at#*:} tso off gso off gro off >/dev/null; done
on r ethtool -K eth0 gro off tso off gso off >/dev/null; on r ethtool -K eth1 gro off tso off gso off >/dev/null
serve s - node "$RECORD/servers/node.mjs" 8080
sleep 1
: >"$TRUTH"
on r tc qdisc add dev eth0 root netem delay 4ms 3ms 25% loss 5% duplicate 2%
on r tc qdisc add dev eth1 root netem delay 4ms 3ms 25% loss 5% duplicate 2%
capture s eth0 loss-server
capture c eth0 loss-client
B=http://10.77.1.1:8080
on c node "$RECORD/clients/undici.mjs" $B 70 6
head -c 60000 /dev/urandom | base64 -w0 >"$WORK/up"
get "$B/size?bytes=200000" "$B/echo?n=after-large" "$B/chunked?chunks=60" "$B/drip?n=1"
get --data-binary @"$WORK/up" -H 'content-type: application/json' "$B/echo?n=up" "$B/echo?n=up2"
sleep 2
capture_end
expected loss-server
expected loss-client
describe loss-server 'fetch and curl to Node http through a router that loses 5 %, duplicates 2 % and reorders in both directions (tc netem), captured at the server: retransmissions, holes, duplicates' "Node $(node -v)" 'undici (as Node has it)'
describe loss-client 'the same exchanges captured at the client' "Node $(node -v)" 'undici (as Node has it)'
