# A bridge captured with -i any: every packet is captured at its ingress and at its egress port.
ns_up c; ns_up b; ns_up s
link c eth0 10.77.0.2/24 - b p1 - -
link s eth0 10.77.0.1/24 - b p2 - -
on b ip link add br0 type bridge
for if in p1 p2; do on b ip link set $if master br0; done
on b ip link set br0 up
serve s 8080 node "$RECORD/servers/node.mjs" 8080
capture b any bridge-twins tcp
B=http://10.77.0.1:8080
on c node "$RECORD/clients/undici.mjs" $B 28 3
get "$B/size?bytes=100000" "$B/echo?n=same" "$B/echo?n=same" "$B/drip"
capture_end
expected bridge-twins
describe bridge-twins 'fetch and curl to Node http across a bridge, captured on it with -i any: each packet twice (compare pairs by id)' "Node $(node -v)" 'undici (as Node has it)'
