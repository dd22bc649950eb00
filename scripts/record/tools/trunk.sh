# trunk NAME TAG...: curl to Node over IPv4 and IPv6 on a trunk where each frame carries these VLAN tags.
trunk() {
  ns_up c; ns_up r; ns_up s
  link c eth0 10.77.0.2/24 fd77::2/64 r p1 - -
  link s eth0 10.77.0.1/24 fd77::1/64 r p2 - -
  link r left - - r right - -
  on r ip link set left mtu 1600; on r ip link set right mtu 1600
  for at in "c eth0" "s eth0" "r p1" "r p2"; do on ${at% *} ethtool -K ${at#* } tx off tso off gso off gro off >/dev/null; done
  serve r - python3 "$RECORD/tools/switch.py" tag p1 p2 left right "${@:2}"
  serve s - node "$RECORD/servers/node.mjs" 8080
  sleep 1
  : >"$TRUTH"
  capture r left $1
  for host in 10.77.0.1 '[fd77::1]'; do
    get "http://$host:8080/echo?n=1" "http://$host:8080/chunked?chunks=9" "http://$host:8080/size?bytes=60000"
    get -H 'content-type: application/json' -d '{"tagged":true}' "http://$host:8080/echo?n=$host"
  done
  capture_end
  expected $1
  describe $1 "curl to Node http over IPv4 and IPv6 on a trunk whose frames carry tags: ${*:2}" "Node $(node -v)" "$(curl --version | head -1 | cut -d' ' -f1,2)"
}
