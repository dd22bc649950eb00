# TCP Fast Open: the request is in the SYN.
. "$RECORD/servers/nginx_root.sh"
nginx_root "$WORK/nginx"
pair_up
serve s 82 nginx -p "$WORK/nginx" -c "$WORK/nginx/nginx.conf"
: >"$WORK/nginx/access.log"
capture s eth0 fastopen
for n in 1 2 3 4; do get --tcp-fastopen "http://10.77.0.1:82/data/n$n.json" "http://10.77.0.1:82/json/$n"; done
get --tcp-fastopen -d '{"in":"the SYN"}' "http://10.77.0.1:82/json/5"
capture_end
python3 "$RECORD/servers/nginx_truth.py" "$WORK/nginx/access.log" >"$TRUTH"
expected fastopen
describe fastopen 'curl --tcp-fastopen to nginx: requests carried by the SYN' "$(nginx -v 2>&1 | sed 's/.*: //')" "$(curl --version | head -1 | cut -d' ' -f1,2)"
