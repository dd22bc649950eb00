"""A client on plain sockets, for bytes that regular clients never send.

raw.py HOST PORT STEP...   each step is one of
  text:STRING   send the string, with \\r \\n \\xNN escapes undone
  file:PATH     send a file's bytes
  oob:STRING    like text, with its last byte urgent (MSG_OOB)
  wait:SECONDS  wait
  bytes:N:STRING like text, but one segment per N bytes (TCP_NODELAY, a short wait between)
  pad:N         send N letters
  read:N        read until N times the start of a response ("HTTP/1.") has been seen and half a second was quiet
  drain         read until the other side closes
  half          shut down our sending side
  reset         close with RST (SO_LINGER 0)
"""
import socket
import struct
import sys
import time

host, port = sys.argv[1], int(sys.argv[2])
sock = socket.create_connection((host, port), timeout=10)
sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
unescape = lambda text: text.encode('latin-1', 'backslashreplace').decode('unicode_escape').encode('latin-1')


def read(count):
    seen = b''
    sock.settimeout(0.5)
    deadline = time.time() + 8
    while time.time() < deadline:
        try:
            got = sock.recv(1 << 20)
        except TimeoutError:
            if seen.count(b'HTTP/1.') >= count:
                return
            continue
        if not got:
            return
        seen += got


for step in sys.argv[3:]:
    kind, _, rest = step.partition(':')
    try:
        if kind == 'text':
            sock.sendall(unescape(rest))
        elif kind == 'oob':
            sock.send(unescape(rest), socket.MSG_OOB)
        elif kind == 'file':
            sock.sendall(open(rest, 'rb').read())
        elif kind == 'pad':
            sock.sendall(b'p' * int(rest))
        elif kind == 'bytes':
            size, _, text = rest.partition(':')
            data = unescape(text)
            for at in range(0, len(data), int(size)):
                sock.sendall(data[at:at + int(size)])
                time.sleep(0.0015)
        elif kind == 'wait':
            time.sleep(float(rest))
        elif kind == 'read':
            read(int(rest))
        elif kind == 'drain':
            sock.settimeout(10)
            while sock.recv(1 << 20):
                pass
        elif kind == 'half':
            sock.shutdown(socket.SHUT_WR)
        elif kind == 'reset':
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            sock.close()
            sys.exit()
        else:
            sys.exit(f'unknown step {step}')
    except (ConnectionResetError, BrokenPipeError):
        print(f'connection ended at {step[:40]}')
        break
sock.close()
