# Python's http.server and http.client: HTTP/1.0 bodies that end with the connection, HTTP/1.1 kept alive, bare LF.
pair_up
serve s 8000 python3 "$RECORD/servers/stdlib.py" 8000 HTTP/1.0
serve s 8001 python3 "$RECORD/servers/stdlib.py" 8001 HTTP/1.1
capture s eth0 python-stdlib
on c python3 "$RECORD/clients/stdlib.py" 10.77.0.1 8000
on c python3 "$RECORD/clients/stdlib.py" 10.77.0.1 8001
N=$RECORD/clients/raw.py
on c python3 "$N" 10.77.0.1 8001 'text:GET /echo?n=bare-lf HTTP/1.1\nHost: a\nX-Mixed: 1\r\n\n' read:1 'text:POST /echo?n=bare-lf-body HTTP/1.1\nHost: a\nContent-Length: 4\n\nbody' read:1
on c python3 "$N" 10.77.0.1 8001 'text:GET /echo?n=folded HTTP/1.1\r\nHost: a\r\nX-Fold: one\r\n\ttwo\r\n   three\r\n\r\n' read:1
on c python3 "$N" 10.77.0.1 8001 'text:POST /echo?n=p1 HTTP/1.1\r\nContent-Length: 2\r\n\r\nabGET /extensions?n=p2 HTTP/1.1\r\n\r\nHEAD /echo?n=p3 HTTP/1.1\r\n\r\nGET /echo?n=p4 HTTP/1.1\r\nConnection: close\r\n\r\n' drain
on c python3 "$N" 10.77.0.1 8000 'text:GET /unsized?n=drained HTTP/1.0\r\n\r\n' drain
on c python3 "$N" 10.77.0.1 8000 'text:GET /echo?n=ten-keep HTTP/1.0\r\nConnection: keep-alive\r\n\r\n' drain
on c curl -s --http1.0 http://10.77.0.1:8000/unsized?n=curl10 http://10.77.0.1:8001/echo?n=curl10 >/dev/null
on c curl -s http://10.77.0.1:8001/extensions?n=curl http://10.77.0.1:8001/interim?n=curl http://10.77.0.1:8001/nl-only?n=curl >/dev/null
capture_end
expected python-stdlib
describe python-stdlib "http.client, curl and plain sockets to Python's http.server as HTTP/1.0 and 1.1: bodies ended by the connection's end, chunk extensions, bare LF both ways, folded headers, interim 102, pipelining, HEAD" "$(python3 -V)" "$(curl --version | head -1 | cut -d' ' -f1,2)"
