"""A server of lines that is not HTTP: lines.py PORT. Answers each with a line."""
import socketserver
import sys


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(b'OK 200 ' + line)


socketserver.ThreadingTCPServer(('', int(sys.argv[1])), Lines).serve_forever()
