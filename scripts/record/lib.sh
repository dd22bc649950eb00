# Shared by every recording case: network namespaces, servers, the capture, and the list of what the server logged.
# Sourced by record.sh; needs root. Everything it creates is named itg-* or is in $WORK, and is removed at the end.
#
# A case calls, in order:
#   pair_up                     two namespaces c (10.77.0.2, fd77::2) and s (10.77.0.1, fd77::1) joined by a veth pair
#   serve NS PORT COMMAND...    start a server and wait until it accepts connections
#   capture NS IF NAME [ARGS]   start tcpdump (ARGS go to tcpdump)
#   on NS COMMAND...            run a client
#   capture_end                 stop all captures, write test/fixtures/NAME.pcap.gz
#   expected NAME               write test/fixtures/NAME.expected.ndjson from $TRUTH
#   describe NAME TEXT SOFTWARE... note the provenance in test/fixtures/manifest.json

RECORD=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$RECORD/../.." && pwd)
OUT=${OUT:-$ROOT/test/fixtures}
TOOLS=${TOOLS:-$ROOT/.cache/record}
WORK=$(mktemp -d /tmp/itg-record.XXXXXX)
chmod 755 "$WORK"
export TRUTH=$WORK/truth.ndjson
export PATH=$TOOLS/bin:$TOOLS/venv/bin:$PATH
: >"$TRUTH"
chmod 666 "$TRUTH"
PIDS=()
CAPTURES=()

on() { ip netns exec "itg-$1" "${@:2}"; }

# like on, for background processes: $! is then the process itself and not a shell around it
exec_in() { exec ip netns exec "itg-$1" "${@:2}"; }

# curl in namespace c; its output and exit code are ignored, because the server's log is the reference
get() { on c env -u no_proxy -u NO_PROXY -u http_proxy -u https_proxy curl -s -m 20 "$@" >/dev/null 2>&1 || true; }

ns_up() { # NS
  ip netns add "itg-$1"
  on "$1" ip link set lo up
  on "$1" sysctl -qw net.ipv4.tcp_fastopen=3 net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0
}

link() { # NS1 IF1 ADDR1 ADDR1v6 NS2 IF2 ADDR2 ADDR2v6
  ip link add "$2" netns "itg-$1" type veth peer name "$6" netns "itg-$5"
  local at
  for at in "$1 $2 $3 $4" "$5 $6 $7 $8"; do
    set -- $at
    [ "$3" = - ] || on "$1" ip addr add "$3" dev "$2"
    [ "$4" = - ] || on "$1" ip -6 addr add "$4" dev "$2" nodad
    on "$1" ip link set "$2" up
  done
}

pair_up() {
  ns_up c; ns_up s
  link c eth0 10.77.0.2/24 fd77::2/64 s eth0 10.77.0.1/24 fd77::1/64
}

serve() { # NS PORT COMMAND...
  local ns=$1 port=$2 tries=0; shift 2
  exec_in "$ns" "$@" >>"$WORK/servers.log" 2>&1 &
  PIDS+=($!)
  [ "$port" = - ] && return
  until on "$ns" nc -z 127.0.0.1 "$port" 2>/dev/null || on "$ns" nc -z 10.77.0.1 "$port" 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { echo "no server on port $port:"; tail -5 "$WORK/servers.log"; exit 1; } >&2
    sleep 0.1
  done
  sleep 0.2
  : >"$TRUTH"
}

capture() { # NS IF NAME [tcpdump arguments]
  local ns=$1 if=$2 name=$3 tries=0; shift 3
  exec_in "$ns" tcpdump --immediate-mode -i "$if" -s 262144 -B 8192 -U -n -Z root -w "$WORK/$name.pcap" "$@" 2>"$WORK/$name.tcpdump" &
  CAPTURES+=("$! $name")
  until grep -qs listening "$WORK/$name.tcpdump"; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || { cat "$WORK/$name.tcpdump"; exit 1; } >&2
    sleep 0.1
  done
  sleep 0.2
}

capture_end() {
  sleep 0.7
  local entry
  for entry in "${CAPTURES[@]}"; do
    set -- $entry
    kill -TERM "$1"; wait "$1" || true
    gzip -9nc "$WORK/$2.pcap" >"$OUT/$2.pcap.gz"
echo "$2: $(tcpdump -nr "$WORK/$2.pcap" 2>/dev/null | wc -l) frames, $(stat -c %s "$OUT/$2.pcap.gz") bytes gz"
  done
  CAPTURES=()
}

expected() { # NAME
  cp "$TRUTH" "$OUT/$1.expected.ndjson"
  chmod 644 "$OUT/$1.expected.ndjson"
  echo "$1: $(wc -l <"$TRUTH") exchanges expected"
}

describe() { # NAME TEXT SOFTWARE...
  python3 "$RECORD/tools/describe.py" "$OUT" "$@"
}

tidy() {
  local entry pid
  for entry in "${CAPTURES[@]}"; do kill "${entry%% *}" 2>/dev/null || true; done
  for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
  sleep 0.2
  for pid in "${PIDS[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  local ns
  for ns in $(ip netns list | grep -o '^itg-[a-z0-9-]*' || true); do
    ip netns pids "$ns" | while read -r pid; do kill -9 "$pid" 2>/dev/null || true; done
    ip netns del "$ns"
  done
  [ -n "${KEEP:-}" ] && echo "kept $WORK" || rm -rf "$WORK"
}
