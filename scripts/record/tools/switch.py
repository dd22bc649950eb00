"""A switch in user space between two interfaces, for features that the kernel may lack.

switch.py impair A B SEED           forwards both ways with 5 % lost, 2 % twice, and 4 ms of delay that varies, so that frames
                                    overtake each other
switch.py tag A B LEFT RIGHT TAG... forwards A to B by way of the veth pair LEFT-RIGHT, where each frame carries VLAN tags
                                    (TPID:ID, outermost first)
"""
import heapq
import random
import selectors
import socket
import struct
import sys
import time

ETH_P_ALL = 3
OUTGOING = 4
TPIDS = (0x8100, 0x88A8)


def listen(name):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.bind((name, ETH_P_ALL))
    return sock


def untag(frame):
    while struct.unpack_from('>H', frame, 12)[0] in TPIDS:
        frame = frame[:12] + frame[16:]
    return frame


def impair(a, b, seed):
    chance = random.Random(int(seed))
    ports = [listen(a), listen(b)]
    queue, count = [], 0
    selector = selectors.DefaultSelector()
    for at, port in enumerate(ports):
        selector.register(port, selectors.EVENT_READ, ports[1 - at])
    while True:
        wait = max(0, queue[0][0] - time.monotonic()) if queue else None
        for key, _ in selector.select(wait):
            frame, address = key.fileobj.recvfrom(65536)
            if address[2] == OUTGOING or chance.random() < 0.05:
                continue
            for _ in range(2 if chance.random() < 0.02 else 1):
                heapq.heappush(queue, (time.monotonic() + max(0.0005, chance.gauss(0.004, 0.0015)), count, key.data, frame))
                count += 1
        while queue and queue[0][0] <= time.monotonic():
            _, _, port, frame = heapq.heappop(queue)
            port.send(frame)


def tag(a, b, left, right, *tags):
    # a -> left ~ right -> b, and b -> right ~ left -> a
    label = b''.join(struct.pack('>HH', int(t.split(':')[0], 16), int(t.split(':')[1])) for t in tags)
    ports = {name: listen(name) for name in (a, b, left, right)}
    way = {a: (left, True), b: (right, True), right: (b, False), left: (a, False)}
    selector = selectors.DefaultSelector()
    for name, port in ports.items():
        selector.register(port, selectors.EVENT_READ, way[name])
    while True:
        for key, _ in selector.select():
            frame, address = key.fileobj.recvfrom(65536)
            if address[2] == OUTGOING:
                continue
            to, tagged = key.data
            ports[to].send(frame[:12] + label + frame[12:] if tagged else untag(frame))


{'impair': impair, 'tag': tag}[sys.argv[1]](*sys.argv[2:])
