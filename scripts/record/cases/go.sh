# hey and a Go client against Go's net/http: kept-alive load, pipelining, trailers, early answers, large heads.
pair_up
serve s 8080 itg-go serve :8080
capture s eth0 go
on c hey -n 60 -c 4 -m POST -T application/json -d '{"from":"hey"}' http://10.77.0.1:8080/echo?n=hey >/dev/null
on c hey -n 12 -c 2 -disable-keepalive http://10.77.0.1:8080/echo?n=once >/dev/null
on c itg-go client http://10.77.0.1:8080
pipe=""; for n in 1 2 3 4 5 6; do pipe+="POST /echo?n=pipe$n HTTP/1.1\r\nHost: a\r\nContent-Length: $n\r\n\r\n$(head -c $n /dev/zero | tr '\0' x)GET /stream?n=$n HTTP/1.1\r\nHost: a\r\n\r\n"; done
on c python3 "$RECORD/clients/raw.py" 10.77.0.1 8080 "text:$pipe" read:12
on c python3 "$RECORD/clients/raw.py" 10.77.0.1 8080 'text:OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n' read:1 'text:GET /echo?n=after-star HTTP/1.1\r\nHost: a\r\nX-Fold: one\r\n two\r\n\r\n' read:1
on c python3 "$RECORD/clients/raw.py" 10.77.0.1 8080 'text:get /echo?n=lower HTTP/1.1\r\nHost: a\r\n\r\n' read:1
on c python3 "$RECORD/clients/raw.py" 10.77.0.1 8080 'text:GET /close-delimited HTTP/1.0\r\n\r\n' drain
capture_end
expected go
describe go 'hey, a Go client and plain sockets to Go net/http: kept-alive and one-shot requests, pipelining, streamed bodies and trailers, OPTIONS *, a folded header, a lower-case method, 64 KB heads, HTTP/1.0' "$(go version | cut -d' ' -f3)" 'hey 0.1'
