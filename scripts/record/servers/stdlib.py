"""Python's http.server for recording: stdlib.py PORT HTTP/1.0|HTTP/1.1. Appends each finished exchange to $TRUTH."""
import hashlib
import http.server
import json
import os
import sys


def body(data):
    return {'size': len(data), 'sha256': hashlib.sha256(data).hexdigest()}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = sys.argv[2]

    def answer(self):
        received = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        path = self.path.partition('?')[0]
        sent = json.dumps({'target': self.path, 'received': body(received)['sha256']}).encode()
        status = 200
        if path == '/missing':
            status = 404
        if path == '/nl-only':
            # a server that ends its lines with LF only
            self.wfile.write(b'HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: %d\n\n' % len(sent) + sent)
        elif path == '/extensions':
            self.send_response(200)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Transfer-Encoding', 'chunked')
            self.end_headers()
            half = len(sent) // 2
            self.wfile.write(b'%x;part=1;q="a;\\"b"\r\n%s\r\n' % (half, sent[:half]))
            self.wfile.write(b'000%X ; part=2\r\n%s\r\n' % (len(sent) - half, sent[half:]))
            self.wfile.write(b'00;last\r\nX-Trailer: yes\r\n\r\n')
        elif path == '/unsized':
            sent = sent * 50
            self.send_response(200)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Connection', 'close')
            self.end_headers()
            self.wfile.write(sent[:700])
            self.wfile.flush()
            self.wfile.write(sent[700:])
            self.close_connection = True
        else:
            if path == '/interim':
                self.send_response_only(102)
                self.end_headers()
            self.send_response(status)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(sent)))
            self.end_headers()
            if self.command == 'HEAD':
                sent = b''
            self.wfile.write(sent)
        entry = {'method': self.command, 'target': self.path, 'status': status, 'requestBody': body(received), 'responseBody': body(sent)}
        with open(os.environ['TRUTH'], 'a') as truth:
            truth.write(json.dumps(entry) + '\n')

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = answer


http.server.ThreadingHTTPServer(('', int(sys.argv[1])), Handler).serve_forever()
