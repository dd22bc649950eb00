# Two VLAN tags (802.1ad outside, 802.1Q inside), IPv4 and IPv6.
. "$RECORD/tools/trunk.sh"
trunk qinq-ipv6 88a8:9 8100:8
