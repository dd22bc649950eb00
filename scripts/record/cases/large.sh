# Bodies over the limits in both directions, counted and chunked, each followed by small exchanges on its connection.
pair_up
serve s 8080 node "$RECORD/servers/node.mjs" 8080
capture s eth0 large
B=http://10.77.0.1:8080
head -c 1500000 /dev/zero | tr '\0' 'u' >"$WORK/up"
head -c 700000 /dev/zero | tr '\0' 'v' >"$WORK/mid"
get "$B/size?bytes=1500000" "$B/echo?n=after1" "$B/size?bytes=1200000&chunked" "$B/echo?n=after2" "$B/size?bytes=900000" "$B/echo?n=after3"
get -H Expect: --data-binary @"$WORK/up" "$B/echo?n=up" --next -s "$B/echo?n=after4" --next -s -H Expect: -H 'Transfer-Encoding: chunked' --data-binary @"$WORK/up" "$B/echo?n=up-chunked" --next -s "$B/echo?n=after5"
get -H Expect: --data-binary @"$WORK/mid" "$B/size?bytes=600000&n=pair" --next -s -H Expect: --data-binary @"$WORK/mid" "$B/echo?n=mid" --next -s "$B/echo?n=after6"
on c python3 "$RECORD/clients/raw.py" 10.77.0.1 8080 'text:GET /size?bytes=1300000&n=piped HTTP/1.1\r\nHost: a\r\n\r\nGET /echo?n=piped2 HTTP/1.1\r\nHost: a\r\n\r\nPOST /echo?n=piped3 HTTP/1.1\r\nHost: a\r\nContent-Length: 1100000\r\n\r\n' pad:1100000 'text:GET /echo?n=piped4 HTTP/1.1\r\nHost: a\r\n\r\n' read:4
capture_end
python3 "$RECORD/tools/limits.py" "$TRUTH"
expected large
describe large 'curl and plain sockets to Node http with bodies of 0.6 to 1.5 MB, counted and chunked, up and down, each followed by small exchanges on the same connection' "Node $(node -v)" "$(curl --version | head -1 | cut -d' ' -f1,2)"
