# ab with and without keep-alive (HTTP/1.0) and curl against Apache: ranges, deflate, CGI-like errors, h2c upgrade.
. "$RECORD/servers/nginx_root.sh"
nginx_root "$WORK/web"
sed "s#@DIR@#$WORK/web#" "$RECORD/servers/apache.conf" >"$WORK/web/apache.conf"
pair_up
serve s 80 apache2 -X -f "$WORK/web/apache.conf"
: >"$WORK/web/access.log"
capture s eth0 apache
B=http://10.77.0.1
on c ab -q -n 40 -c 4 -k "$B/data/small.json" >/dev/null
on c ab -q -n 10 -c 2 "$B/data/list.json" >/dev/null
get "$B/" "$B/data/text.txt" "$B/logo.png" "$B/missing" "$B/old" "$B/data/empty.txt" "$B/data/n1.json"
get -I "$B/data/text.txt" "$B/missing"
get --compressed "$B/data/fly.json" "$B/data/n2.json"
get -r 10-99 "$B/data/text.txt"
get -X OPTIONS "$B/data/small.json"
get -X TRACE "$B/data/small.json"
get -X OPTIONS --request-target '*' "$B"
get -d 'a=1' "$B/data/small.json" "$B/data/n3.json"
get --http2 "$B/data/n4.json"
pipe=""; for n in 5 6 7 8 9; do pipe+="GET /data/n$n.json HTTP/1.1\r\nHost: a\r\n\r\n"; done
on c python3 "$RECORD/clients/raw.py" 10.77.0.1 80 "text:$pipe" read:5 'text:HEAD /data/n10.json HTTP/1.1\r\nHost: a\r\n\r\nGET /data/n11.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' drain
capture_end
python3 "$RECORD/servers/apache_truth.py" "$WORK/web/access.log" "$WORK/web/www" >"$TRUTH"
expected apache
describe apache 'ab (HTTP/1.0, with and without keep-alive), curl and plain sockets to Apache: HEAD, 206, 301, 404, deflate, OPTIONS *, TRACE, pipelining, an upgrade to h2c' "$(apache2 -v | head -1 | cut -d' ' -f3)" "ab $(ab -V | head -1 | grep -o 'Version [0-9.]*')" "$(curl --version | head -1 | cut -d' ' -f1,2)"
