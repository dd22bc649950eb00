# A network that loses, duplicates and reorders frames in both directions, captured at both ends: real retransmissions.
ns_up c; ns_up r; ns_up s
link c eth0 10.77.0.2/24 - r p1 - -
link s eth0 10.77.0.1/24 - r p2 - -
for at in "c eth0" "s eth0" "r p1" "r p2"; do on ${at% *} ethtool -K ${at#* } tx off tso off gso off gro off >/dev/null; done
serve r - python3 "$RECORD/tools/switch.py" impair p1 p2 7
serve s - node "$RECORD/servers/node.mjs" 8080
sleep 1
: >"$TRUTH"
capture s eth0 loss-server
capture c eth0 loss-client
B=http://10.77.0.1:8080
on c node "$RECORD/clients/undici.mjs" $B 70 6
head -c 40000 /dev/urandom | base64 -w0 >"$WORK/up"
get "$B/size?bytes=200000" "$B/echo?n=after-large" "$B/chunked?chunks=60" "$B/drip?n=1"
get --data-binary @"$WORK/up" -H 'content-type: application/json' "$B/echo?n=up" "$B/echo?n=up2"
sleep 3
capture_end
expected loss-server
expected loss-client
describe loss-server 'fetch and curl to Node http across a switch that loses 5 %, doubles 2 % and reorders frames both ways, captured at the server: retransmissions, holes that fill, duplicates' "Node $(node -v)" 'undici (as Node has it)'
describe loss-client 'the same exchanges captured at the client' "Node $(node -v)" 'undici (as Node has it)'
