# IPv6 through a VLAN and through two stacked tags (802.1ad), captured on the parent interface.
pair_up
for at in c:2 s:1; do
  ns=${at%:*}; n=${at#*:}
  on $ns ip link add link eth0 name v7 type vlan id 7
  on $ns ip link add link eth0 name q9 type vlan protocol 802.1ad id 9
  on $ns ip link set v7 up; on $ns ip link set q9 up
  on $ns ip link add link q9 name q9v8 type vlan id 8
  on $ns ip link set q9v8 up
  on $ns ip addr add 10.78.7.$n/24 dev v7; on $ns ip -6 addr add fd78:7::$n/64 dev v7 nodad
  on $ns ip addr add 10.78.8.$n/24 dev q9v8; on $ns ip -6 addr add fd78:8::$n/64 dev q9v8 nodad
done
serve s 8080 node "$RECORD/servers/node.mjs" 8080
capture s eth0 ipv6-vlan
for host in '[fd77::1]' 10.78.7.1 '[fd78:7::1]' 10.78.8.1 '[fd78:8::1]'; do
  get "http://$host:8080/echo?n=1" "http://$host:8080/chunked?chunks=9" "http://$host:8080/size?bytes=60000"
  get -H 'content-type: application/json' -d '{"tagged":true}' "http://$host:8080/echo?n=$host"
done
capture_end
expected ipv6-vlan
describe ipv6-vlan 'curl to Node http over IPv6, over one VLAN tag and over two (802.1ad and 802.1Q), captured on the parent interface' "Node $(node -v)" "$(curl --version | head -1 | cut -d' ' -f1,2)"
