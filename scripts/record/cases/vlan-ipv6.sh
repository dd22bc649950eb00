# One VLAN tag, IPv4 and IPv6.
. "$RECORD/tools/trunk.sh"
trunk vlan-ipv6 8100:7
