# Captures that begin in the middle: between two requests of a connection, and inside an answer.
pair_up
serve s 8080 node "$RECORD/servers/node.mjs" 8080
N=$RECORD/clients/raw.py
on c python3 "$N" 10.77.0.1 8080 'text:GET /echo?n=unseen HTTP/1.1\r\nHost: a\r\n\r\n' read:1 wait:1.5 'text:GET /echo?n=first HTTP/1.1\r\nHost: a\r\n\r\n' read:1 'text:POST /echo?n=second HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok' read:1 'text:GET /chunked?n=third HTTP/1.1\r\nHost: a\r\n\r\nGET /echo?n=fourth HTTP/1.1\r\nHost: a\r\n\r\n' read:2 &
on c python3 "$N" 10.77.0.1 8080 'text:GET /sse?n=150 HTTP/1.1\r\nHost: a\r\n\r\n' read:1 wait:1.5 'text:GET /echo?n=after-stream1 HTTP/1.1\r\nHost: a\r\n\r\n' read:1 'text:GET /echo?n=after-stream2 HTTP/1.1\r\nHost: a\r\n\r\n' read:1 &
on c python3 "$N" 10.77.0.1 8080 'text:GET /slow?ms=2000&n=asked-before HTTP/1.1\r\nHost: a\r\n\r\n' read:1 'text:GET /echo?n=after-slow1 HTTP/1.1\r\nHost: a\r\n\r\n' read:1 'text:GET /echo?n=after-slow2 HTTP/1.1\r\nHost: a\r\n\r\n' read:1 &
sleep 1
: >"$TRUTH"
capture s eth0 midstream
sleep 7
capture_end
python3 "$RECORD/tools/amend.py" "$TRUTH" "^/sse=never:its request is not in the capture" "asked-before=never:its request is not in the capture"
expected midstream
describe midstream 'a capture begun while three connections were busy: between two requests, inside a chunked answer, and between a request and its answer' "Node $(node -v)" 'Python 3.11 sockets'
