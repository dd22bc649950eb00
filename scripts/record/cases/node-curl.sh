# curl and raw sockets against Node's http: interim answers, chunks and trailers both ways, encodings, upgrade, odd heads.
pair_up
serve s 8080 node "$RECORD/servers/node.mjs" 8080
capture s eth0 node-curl
B=http://10.77.0.1:8080
N=$RECORD/clients/raw.py
J='content-type: application/json'
head -c 200000 /dev/zero | tr '\0' 'b' >"$WORK/body"
printf '{"hello":"world"}' >"$WORK/json"
get "$B/echo?n=1" "$B/chunked?chunks=3" "$B/chunked?chunks=40" "$B/trailers?n=1" "$B/early?n=1" "$B/sse?n=4" "$B/encoded?as=gzip" "$B/encoded?as=br" "$B/encoded?as=deflate" "$B/encoded?as=rawdeflate" "$B/encoded?as=gzip&chunked" "$B/etag" "$B/drip?n=1" "$B/latin?n=1" "$B/nothing/here"
get -H 'If-None-Match: "v1"' "$B/etag" "$B/etag?2" "$B/echo?n=after304"
get -I "$B/echo?n=head" "$B/chunked?head" "$B/size?bytes=100000"
get "$B/status?code="{200,204,302,404,418,500,503}
get -H "$J" -d @"$WORK/json" "$B/echo?n=post" "$B/echo?n=post2"
get -H "$J" -H 'Transfer-Encoding: chunked' -d @"$WORK/json" "$B/echo?n=chunked-up"
get -H 'Expect: 100-continue' --data-binary @"$WORK/body" "$B/echo?n=expect" "$B/echo?n=expect2"
get -H 'Expect: 100-continue' --data-binary @"$WORK/body" "$B/refuse?n=expect"
get -F file=@"$WORK/json" -F name=Zoë "$B/echo?n=multipart"
get -T "$WORK/json" "$B/echo?n=put"
get -X PATCH -d '{}' "$B/echo?n=patch" --next -s -X DELETE "$B/echo?n=delete" --next -s -X PROPFIND "$B/echo?n=propfind"
get -H "X-Large: $(head -c 100000 /dev/zero | tr '\0' h)" "$B/header?bytes=100000"
get -H "$(printf 'X-Bytes: \xff\xfe caf\xc3\xa9')" "$B/echo?n=non-ascii"
get -x "$B" "http://example.test/echo?n=absolute"
get -N -m 3 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "$B/socket"
on c python3 "$N" 10.77.0.1 8080 'text:POST /trailers?n=up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;name=value;q="a;b"\r\nhello\r\n006;x\r\n world\r\n0\r\nX-Sum: 11\r\n\r\nGET /echo?n=after-trailers HTTP/1.1\r\nHost: a\r\n\r\n' read:2
pipe=""; for n in 1 2 3 4 5 6 7 8; do pipe+="POST /echo?n=pipe$n HTTP/1.1\r\nHost: a\r\nContent-Length: $n\r\n\r\n$(head -c $n /dev/zero | tr '\0' x)GET /chunked?chunks=$n HTTP/1.1\r\nHost: a\r\n\r\n"; done
on c python3 "$N" 10.77.0.1 8080 "text:$pipe" read:16
on c python3 "$N" 10.77.0.1 8080 "bytes:7:$pipe" read:16
on c python3 "$N" 10.77.0.1 8080 'text:HEAD /echo?n=p1 HTTP/1.1\r\nHost: a\r\n\r\nGET /early?n=p2 HTTP/1.1\r\nHost: a\r\n\r\nGET /status?code=204&n=p3 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /chunked?n=p4 HTTP/1.1\r\nHost: a\r\n\r\nGET /sse?n=2 HTTP/1.1\r\nHost: a\r\n\r\n' read:6
on c python3 "$N" 10.77.0.1 8080 'text:get /echo?n=lower HTTP/1.1\r\nHost: a\r\n\r\n' drain
on c python3 "$N" 10.77.0.1 8080 'text:OPTIONS /echo?n=options HTTP/1.1\r\nHost: a\r\nOrigin: http://x\r\n\r\n' read:1 'wait:0.05' 'bytes:1:DELETE /echo?n=letters HTTP/1.1\r\nHost: a\r\nX-Padding:   spaces around   \r\nX-Empty:\r\n\r\n' read:1
on c python3 "$N" 10.77.0.1 8080 'text:POST /early-answer?n=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n' read:1 'text:first half 15 b' wait:0.05 'text:second half 15 ' 'text:GET /echo?n=after-early HTTP/1.1\r\nHost: a\r\n\r\n' read:1
on c python3 "$N" 10.77.0.1 8080 'text:GET /echo?n=half-close HTTP/1.1\r\nHost: a\r\n\r\n' half drain
on c python3 "$N" 10.77.0.1 8080 'text:GET /echo?n=http10 HTTP/1.0\r\n\r\n' drain
on c python3 "$N" 10.77.0.1 8080 'text:GET /chunked?n=http10-close-delimited HTTP/1.0\r\n\r\n' drain
capture_end
expected node-curl
describe node-curl 'curl and plain sockets to Node http: 100-continue, 102, 103, chunks with extensions and trailers both ways, gzip, br, deflate, SSE, WebSocket upgrade, multipart, 304, HEAD, 100 KB heads, non-ASCII heads, pipelining, an answer before the body, half-close, HTTP/1.0' "Node $(node -v)" "$(curl --version | head -1 | cut -d' ' -f1,2)" 'Python 3.11 sockets'
