# Connections that end badly: resets and closes inside answers and requests, idle closes, refusals during an upload.
. "$RECORD/servers/nginx_root.sh"
nginx_root "$WORK/nginx"
pair_up
serve s 80 nginx -p "$WORK/nginx" -c "$WORK/nginx/nginx.conf"
KEEP_ALIVE_MS=300 serve s 8080 node "$RECORD/servers/node.mjs" 8080
: >"$WORK/nginx/access.log"
capture s eth0 aborts
B=http://10.77.0.1:8080
N=$RECORD/clients/raw.py
get "$B/echo?n=before-reset" "$B/reset?n=1" "$B/echo?n=after-reset"
get "$B/cut?n=1"; get "$B/cut?n=2&chunked"; get "$B/echo?n=before-close" "$B/close?n=1" "$B/echo?n=after-close"
on c python3 "$N" 10.77.0.1 8080 'text:GET /slow?ms=400&n=left HTTP/1.1\r\nHost: a\r\n\r\n' wait:0.1 reset
on c python3 "$N" 10.77.0.1 8080 'text:GET /echo?n=ok HTTP/1.1\r\nHost: a\r\n\r\n' read:1 'text:GET /size?bytes=9000000&n=abandoned HTTP/1.1\r\nHost: a\r\n\r\n' wait:0.05 reset
on c python3 "$N" 10.77.0.1 8080 'text:POST /echo?n=cut-upload HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n' pad:1000 wait:0.1 reset
on c python3 "$N" 10.77.0.1 8080 'text:POST /echo?n=cut-chunk HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n' wait:0.1
on c python3 "$N" 10.77.0.1 8080 'text:GET /echo?n=idle1 HTTP/1.1\r\nHost: a\r\n\r\n' read:1 wait:1 drain
on c python3 "$N" 10.77.0.1 8080 'text:GET /slow?ms=50&n=answered HTTP/1.1\r\nHost: a\r\n\r\nGET /cut?n=second HTTP/1.1\r\nHost: a\r\n\r\nGET /echo?n=never-answered HTTP/1.1\r\nHost: a\r\n\r\n' drain
on c python3 "$N" 10.77.0.1 80 'text:POST /json/whole?413 HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n' pad:100000 drain
on c python3 "$N" 10.77.0.1 80 'text:POST /json/part?413 HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n' pad:20000 drain
get -H Expect: --data-binary @<(head -c 3000000 /dev/zero) http://10.77.0.1/json/curl?413
on c python3 "$N" 10.77.0.1 80 'text:GET /data/n1.json HTTP/1.1\r\nHost: a\r\n\r\n' read:1 'text:GET /data/slow-head HTTP/1.1\r\nHo' wait:3 drain
on c python3 "$N" 10.77.0.1 80 'text:POST /json/slow-body HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc' wait:3 drain
on c python3 "$N" 10.77.0.1 80 'text:GET /data/big.bin HTTP/1.1\r\nHost: a\r\n\r\n' wait:0.05 reset
capture_end
python3 "$RECORD/servers/nginx_truth.py" "$WORK/nginx/access.log" >>"$TRUTH"
python3 "$RECORD/tools/limits.py" "$TRUTH"
# a pattern ends at its first "="
cut='the answer ends before its length'
python3 "$RECORD/tools/amend.py" "$TRUTH" "^/reset=never:$cut" "^/cut=never:$cut" "n.left=never:reset before the answer" "n.abandoned=never:$cut" \
  "cut-upload=never:the request ends before its length" "cut-chunk=never:the request ends before its last chunk" "slow-body=never:the request ends before its length" \
  "whole.413=must:the whole request was sent all the same" "part.413=never:the request ends before its length"
expected aborts
describe aborts 'connections that end badly: RST and FIN inside answers, inside requests and while waiting, idle closes, 408, 413 while the body is on its way, pipelined requests left unanswered' "Node $(node -v)" "$(nginx -v 2>&1 | sed 's/.*: //')" 'Python 3.11 sockets'
