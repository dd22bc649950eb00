# Urgent bytes: the server reads the stream without them. One in a target, one in a body, one in each of two exchanges.
pair_up
serve s 8080 node "$RECORD/servers/node.mjs" 8080
capture s eth0 urgent
N=$RECORD/clients/raw.py
on c python3 "$N" 10.77.0.1 8080 'text:GET /echo?n=in-' 'oob:tarX' 'text:get HTTP/1.1\r\nHost: a\r\n\r\n' read:1 \
  'text:GET /echo?n=second' 'oob:YZ' 'text: HTTP/1.1\r\nHost: a\r\n\r\n' read:1
on c python3 "$N" 10.77.0.1 8080 'text:POST /echo?n=body HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc' 'oob:d!' 'text:efghij' read:1
capture_end
expected urgent
describe urgent 'urgent bytes (MSG_OOB) in request targets and in a request body, which the server does not read' "Node $(node -v)" 'Python 3.11 sockets'
