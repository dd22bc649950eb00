# curl and raw sockets against nginx: kept-alive requests, HEAD, 204, 301, 304, 404, 500, ranges, gzip, pipelining.
. "$RECORD/servers/nginx_root.sh"
nginx_root "$WORK/nginx"
pair_up
serve s 80 nginx -p "$WORK/nginx" -c "$WORK/nginx/nginx.conf"
: >"$WORK/nginx/access.log"
capture s eth0 nginx-curl
B=http://10.77.0.1
etag=$(stat -c '%Y %s' "$WORK/nginx/www/data/list.json" | awk '{printf "\"%x-%x\"", $1, $2}')
get "$B/" "$B/data/small.json" "$B/data/text.txt" "$B/logo.png" "$B/data/empty.txt" "$B/json/1?a=b%20c" "$B/missing?x=1" "$B/old" "$B/no-content" "$B/error" "$B/data/n1.json"
get -I "$B/data/text.txt" "$B/data/list.json" "$B/missing2"
get -H "If-None-Match: $etag" "$B/data/list.json" "$B/data/list.json?2"
get --compressed "$B/data/list.json" "$B/data/fly.json" "$B/data/list.json?again"
get -r 100-199 "$B/data/text.txt?range"
get -r 0-9,20-29 "$B/data/text.txt?ranges"
get -X DELETE "$B/json/2" --next -s -d a=1 -d b=2 "$B/json/3" --next -s -H 'content-type: application/json' -d '{"a":1}' "$B/json/4"
get -X OPTIONS --request-target '*' "$B"
get -0 "$B/data/n2.json" "$B/json/5"
get -x "$B:80" "http://example.test/data/n3.json"
pipe=""; for n in 4 5 6 7 8 9; do pipe+="GET /data/n$n.json HTTP/1.1\r\nHost: a\r\n\r\n"; done
on c python3 "$RECORD/clients/raw.py" 10.77.0.1 80 "text:$pipe" read:6 "text:${pipe//data/json}" read:6
on c python3 "$RECORD/clients/raw.py" 10.77.0.1 80 'text:HEAD /data/n10.json HTTP/1.1\r\nHost: a\r\n\r\nGET /data/n11.json HTTP/1.1\r\nHost: a\r\n\r\nHEAD /data/n12.json HTTP/1.1\r\nHost: a\r\n\r\nGET /no-content HTTP/1.1\r\nHost: a\r\n\r\nGET /data/n13.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' drain
on c python3 "$RECORD/clients/raw.py" 10.77.0.1 80 'bytes:1:GET /data/n14.json?letter-by-letter HTTP/1.1\r\nHost: a\r\n\r\n' read:1
on c python3 "$RECORD/clients/raw.py" 10.77.0.1 80 'text:GET /data/n15.json HTTP/1.1\nHost: bare-lf\n\n' read:1 'text:\r\n\r\nGET /data/n16.json?after-empty-lines HTTP/1.1\r\nHost: a\r\n\r\n' read:1
on c python3 "$RECORD/clients/raw.py" 10.77.0.1 80 'text:get /data/n17.json HTTP/1.1\r\nHost: a\r\n\r\n' drain
on c python3 "$RECORD/clients/raw.py" 10.77.0.1 80 'text:GET /data/n18.json HTTP/1.0\r\nConnection: keep-alive\r\n\r\n' read:1 'text:GET /data/n19.json HTTP/1.0\r\n\r\n' drain
capture_end
python3 "$RECORD/servers/nginx_truth.py" "$WORK/nginx/access.log" >"$TRUTH"
expected nginx-curl
describe nginx-curl 'curl and plain sockets to nginx: kept-alive requests, HEAD, 204, 206, 301, 304, 404, 500, gzip static and on the fly, OPTIONS *, absolute-form, HTTP/1.0, pipelining, bare LF, a request letter by letter' "$(nginx -v 2>&1 | sed 's/.*: //')" "$(curl --version | head -1 | cut -d' ' -f1,2)" 'Python 3.11 sockets'
