/** Live capture through AF_PACKET on real interfaces: loopback and veth pairs in network namespaces. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { Namespace } from '../../rig/netns.ts'
import { ethernet, packet, pcapFile, tcp } from '../support/frames.ts'
import { endServer, requestHttp, serveHttp } from '../support/http-traffic.ts'
import { LiveCapture, liveInterface } from '../support/live-capture.ts'
import { segmentOf, streamBytes } from '../support/segments.ts'
import { Tcpdump } from '../support/tcpdump.ts'

const PORT = 21110
const skip = needs('root', 'ip')

const pair = (t: TestContext): [Namespace, Namespace] => {
  const [left, right] = Namespace.pair()
  t.after(() => {
    left.delete()
    right.delete()
  })
  return [left, right]
}

const server = async (t: TestContext, namespace: Namespace, port: number, bytes: number) => {
  const process = await serveHttp(namespace, port, bytes)
  t.after(() => endServer(process))
}

const temporaryFile = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'itl-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return join(folder, 'frames.pcap')
}

const hex = (packets: readonly Buffer[]) => packets.map((bytes) => bytes.toString('hex')).sort()
const packetsOf = (capture: LiveCapture, interfaceId: number) =>
  capture.packets.filter((seen) => seen.interfaceId === interfaceId).map((seen) => seen.packet)

test('af-packet: captures every TCP packet of a veth in both directions, including those larger than the MTU', {
  skip: needs('root', 'ip', 'tcpdump'),
}, async (t) => {
  const [left, right] = pair(t)
  await server(t, right, PORT, 300_000)
  const witness = await Tcpdump.start(left, 'eth0', 'tcp')
  // All 12 MB may arrive before the worker has started.
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)], { ringBytes: 64 * 1024 * 1024 })
  capture.start()
  requestHttp(left, `http://10.77.0.2:${PORT}/`, 20, 1000)
  requestHttp(left, `http://[fd77::2]:${PORT}/`, 20, 1000)
  const counters = await capture.stop()
  const packets = packetsOf(capture, 1)
  assert.equal(counters['frames.kernelDropped'], 0)
  assert.deepEqual(hex(packets), hex(await witness.packets(packets.length)))
  // Packets with extension headers pass the kernel's filter, such as multicast reports.
  assert.equal(counters['frames.seen'], packets.length + counters['frames.skipped.nonTcp'])
  assert.equal(counters['frames.queued'], packets.length)
  assert.ok(
    packets.some(({ length }) => length > 20_000),
    'segments come as the stack has them, before the card cuts them',
  )
})

test('af-packet: packet times are wall clock times in microseconds, in order', { skip }, async (t) => {
  const [left, right] = pair(t)
  await server(t, right, PORT, 100)
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)])
  capture.start()
  const before = Date.now() * 1000
  requestHttp(left, `http://10.77.0.2:${PORT}/`, 10)
  const after = (Date.now() + 1) * 1000
  await capture.stop()
  const times = capture.packets.map(({ micros }) => micros)
  assert.ok(times.length > 20)
  assert.ok(times.every((micros) => Number.isInteger(micros) && micros >= before && micros <= after))
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  )
})

test('af-packet: captures each packet on loopback once, although it is delivered twice', { skip }, async (t) => {
  const namespace = Namespace.create()
  t.after(() => namespace.delete())
  await server(t, namespace, PORT, 100_000)
  const capture = new LiveCapture([liveInterface(1, 'lo', namespace.path)])
  capture.start()
  requestHttp(namespace, `http://127.0.0.1:${PORT}/`, 10, 200)
  const counters = await capture.stop()
  const transmitted = JSON.parse(namespace.ip('-s', '-j', 'link', 'show', 'lo'))[0].stats64.tx.packets
  assert.equal(capture.packets.length, transmitted)
  assert.equal(counters['frames.seen'], transmitted)
  assert.equal(new Set(hex(packetsOf(capture, 1))).size, transmitted, 'IPv4 identifications distinguish packets')
})

test('af-packet: `any` captures every interface, and loopback once', { skip }, async (t) => {
  const [left, right] = pair(t)
  await server(t, right, PORT, 50_000)
  await server(t, left, PORT, 50_000)
  const interfaces = [
    liveInterface(1, 'any', left.path),
    liveInterface(2, 'eth0', left.path),
    liveInterface(3, 'lo', left.path),
  ]
  const capture = new LiveCapture(interfaces)
  capture.start()
  for (const host of ['10.77.0.2', '127.0.0.1', '[fd77::2]', '[::1]'])
    requestHttp(left, `http://${host}:${PORT}/`, 5, 100)
  await capture.stop()
  const [any, eth0, lo] = [packetsOf(capture, 1), packetsOf(capture, 2), packetsOf(capture, 3)]
  assert.ok(eth0.length > 20 && lo.length > 20)
  assert.deepEqual(hex(any), hex([...eth0, ...lo]))
})

test('af-packet: reads frames with VLAN tags, in the bytes or removed by the kernel', {
  skip: needs('root', 'ip', 'tcpreplay'),
}, async (t) => {
  const [left, right] = pair(t)
  const file = temporaryFile(t)
  const [source, destination] = [
    [10, 78, 0, 1],
    [10, 78, 0, 2],
  ]
  const tagged = [[], [0x8100], [0x88a8], [0x88a8, 0x8100]].map((tags, index) =>
    ethernet({ tags, payload: packet({ source, destination, protocol: 6, payload: tcp(PORT, 1 + index) }) }),
  )
  const udp = packet({ source, destination, protocol: 17, payload: tcp(PORT, 99) })
  writeFileSync(file, pcapFile([...tagged, ethernet({ tags: [0x88a8, 0x8100], payload: udp })]))
  const interfaces = [left, right].flatMap(({ path }, side) => [
    liveInterface(1 + 2 * side, 'eth0', path),
    liveInterface(2 + 2 * side, 'any', path),
  ])
  const capture = new LiveCapture(interfaces)
  capture.start()
  // On the left, outgoing frames have all tags in the bytes; on the right, the kernel removes the outer one.
  left.exec('tcpreplay', '-q', '-i', 'eth0', file)
  const counters = await capture.stop()
  for (const interfaceId of [1, 2, 3, 4]) {
    const ports = packetsOf(capture, interfaceId).map((seen) => segmentOf(seen).destinationPort)
    assert.deepEqual(ports, [1, 2, 3, 4], `interface ${interfaceId}`)
  }
  assert.equal(counters['frames.queued'], 16)
})

test('af-packet: captures BIG TCP packets over 64 KB whole', { skip: needs('root', 'ip') }, async (t) => {
  const [left, right] = pair(t)
  for (const namespace of [left, right]) {
    namespace.ip('link', 'set', 'eth0', 'gso_max_size', '180000', 'gro_max_size', '180000')
  }
  await server(t, right, PORT, 3_000_000)
  // The responses arrive before the worker has started: the ring holds them all.
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)], { ringBytes: 64 * 1024 * 1024 })
  capture.start()
  requestHttp(left, `http://[fd77::2]:${PORT}/`, 3)
  const counters = await capture.stop()
  const packets = packetsOf(capture, 1)
  const largest = packets.reduce((a, b) => (a.length > b.length ? a : b))
  assert.ok(largest.length > 66_000, `the largest packet has ${largest.length} bytes`)
  assert.equal(segmentOf(largest).headerLength, 0, 'a length that 16 bits cannot hold is 0')
  const body = streamBytes(packets, PORT)
  assert.ok(body > 9_000_000 && body < 9_010_000, `${body} bytes of three responses`)
  assert.equal(counters['frames.truncated'], 0)
})

test('af-packet: the kernel applies the expression and the exclusions', {
  skip: needs('root', 'ip', 'libpcap'),
}, async (t) => {
  const [left, right] = pair(t)
  for (const port of [PORT, PORT + 1, PORT + 2]) await server(t, right, port, 1000)
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path), liveInterface(2, 'any', left.path)], {
    filter: `dst port ${PORT} or port ${PORT + 1}`,
    exclude: [{ address: '10.77.0.2', port: PORT + 1 }],
  })
  capture.start()
  for (const host of ['10.77.0.2', '[fd77::2]']) {
    for (const port of [PORT, PORT + 1, PORT + 2]) requestHttp(left, `http://${host}:${port}/`, 3)
  }
  const counters = await capture.stop()
  const seen = new Set(
    capture.packets.map(({ interfaceId, packet: bytes }) => {
      const { sourcePort, destinationPort } = segmentOf(bytes)
      return `${interfaceId} IPv${bytes[0] >> 4} ${sourcePort > 30000 ? '' : sourcePort}>${destinationPort > 30000 ? '' : destinationPort}`
    }),
  )
  const expected = [`IPv4 >${PORT}`, `IPv6 >${PORT}`, `IPv6 >${PORT + 1}`, `IPv6 ${PORT + 1}>`]
  assert.deepEqual([...seen].sort(), [1, 2].flatMap((id) => expected.map((what) => `${id} ${what}`)).sort())
  assert.equal(counters['frames.seen'], capture.packets.length, 'nothing else came out of the kernel')
})

test('af-packet: counts frames that a snap length truncates', { skip }, async (t) => {
  const [left, right] = pair(t)
  await server(t, right, PORT, 100_000)
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)], { snapLength: 200 })
  capture.start()
  requestHttp(left, `http://10.77.0.2:${PORT}/`, 3)
  const counters = await capture.stop()
  const cut = capture.packets.filter(({ packet }) => segmentOf(packet).headerLength > packet.length)
  assert.equal(Math.max(...capture.packets.map(({ packet }) => packet.length)), 200 - 14)
  assert.ok(cut.length > 0)
  assert.equal(counters['frames.truncated'], cut.length)
})

test('af-packet: frames that arrive while a worker is replaced stay in the ring', { skip }, async (t) => {
  const [left, right] = pair(t)
  await server(t, right, PORT, 5000)
  const capture = new LiveCapture([liveInterface(1, 'eth0', left.path)])
  const request = () => requestHttp(left, `http://10.77.0.2:${PORT}/`, 5, 100)
  request()
  capture.start()
  request()
  // Several rounds, so that the ring's blocks have been in use when a worker takes over.
  for (let round = 0; round < 3; round++) {
    await capture.message('ready')
    await capture.halt()
    request()
    capture.start()
  }
  await capture.stop()
  const syns = new Set(
    capture.packets
      .map(({ packet }) => segmentOf(packet))
      .filter(({ syn }) => syn)
      .map(({ sequence }) => sequence),
  )
  assert.equal(syns.size, 2 * 5, 'both sides of five connections')
})
