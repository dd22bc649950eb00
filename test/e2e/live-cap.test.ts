/** Live capture through libpcap and the package cap. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { reservePorts } from '../../rig/ports.ts'
import { EXIT_USAGE } from '../../src/errors.ts'
import { endServer, requestHttp, serveHttp } from '../support/http-traffic.ts'
import { LiveCapture, liveInterface } from '../support/live-capture.ts'
import { segmentOf, streamBytes } from '../support/segments.ts'

// cap captures in the namespace of its process only, so these tests run on the host's loopback.
const PORT = await reservePorts(4)
/** Enough buffer for all of a test's frames, however long the capturing process waits for a CPU. */
const RING_BYTES = 32 * 1024 * 1024
const skip = needs('root', 'cap')

const server = async (t: TestContext, port: number, bytes: number) => {
  const process = await serveHttp(null, port, bytes)
  t.after(() => endServer(process))
}

const startCap = async (...[interfaces, options]: ConstructorParameters<typeof LiveCapture>): Promise<LiveCapture> => {
  const capture = new LiveCapture(interfaces, { source: 'cap', snapLength: 65535, ringBytes: RING_BYTES, ...options })
  capture.start()
  await capture.message('log')
  return capture
}

test('cap: captures loopback traffic once, requests and responses whole', { skip }, async (t) => {
  await server(t, PORT, 20_000)
  const capture = await startCap([liveInterface(1, 'lo')], { filter: `port ${PORT}` })
  const before = Date.now() * 1000
  requestHttp(null, `http://127.0.0.1:${PORT}/`, 10, 1000)
  const after = (Date.now() + 1000) * 1000
  const counters = await capture.stop()
  const packets = capture.packets.map(({ packet }) => packet)
  const answered = streamBytes(packets, PORT)
  assert.ok(answered > 200_000 && answered < 205_000, `${answered} bytes of ten responses`)
  const clientPort = segmentOf(packets[0]).sourcePort
  const asked = streamBytes(packets, clientPort)
  assert.ok(asked > 10_000 && asked < 12_000, `${asked} bytes of ten requests`)
  assert.equal(new Set(packets.map((packet) => packet.toString('hex'))).size, packets.length)
  assert.equal(counters['frames.queued'], packets.length)
  assert.ok(capture.packets.every(({ micros }) => micros >= before && micros <= after))
})

test('cap: several interfaces share a worker; `any` captures all that have addresses', { skip }, async (t) => {
  await server(t, PORT + 1, 1000)
  const capture = await startCap([liveInterface(1, 'any'), liveInterface(2, 'lo')], { filter: `port ${PORT + 1}` })
  requestHttp(null, `http://127.0.0.1:${PORT + 1}/`, 3)
  await capture.stop()
  const packetsOf = (id: number) =>
    capture.packets.filter(({ interfaceId }) => interfaceId === id).map(({ packet }) => packet.toString('hex'))
  assert.ok(packetsOf(2).length > 10)
  assert.deepEqual(packetsOf(1), packetsOf(2))
})

test('cap: exclusions and the expression are ANDed', { skip }, async (t) => {
  for (const port of [PORT + 2, PORT + 3]) await server(t, port, 1000)
  const options = { filter: `portrange ${PORT + 2}-${PORT + 3}`, exclude: [{ address: '127.0.0.1', port: PORT + 3 }] }
  const capture = await startCap([liveInterface(1, 'lo')], options)
  for (const port of [PORT + 2, PORT + 3]) requestHttp(null, `http://127.0.0.1:${port}/`, 3)
  await capture.stop()
  const ports = new Set(capture.packets.map(({ packet }) => Math.min(...portsOf(packet))))
  assert.deepEqual([...ports], [PORT + 2])
})

const portsOf = (packet: Buffer): number[] => {
  const { sourcePort, destinationPort } = segmentOf(packet)
  return [sourcePort, destinationPort]
}

test('cap: errors of libpcap have the exit code of their kind', { skip }, async () => {
  for (const [device, filter, text] of [
    ['none0', '', /none0: No such device/],
    ['lo', 'tcp prt 80', /lo: .*syntax error/],
  ] as const) {
    const capture = new LiveCapture([liveInterface(1, device)], { source: 'cap', snapLength: 65535, filter })
    capture.start()
    const failed = await capture.message('failed')
    assert.ok(failed.t === 'failed' && failed.exitCode === EXIT_USAGE)
    assert.match(failed.message, text)
  }
})

test('cap: stops at once on command', { skip }, async () => {
  const capture = await startCap([liveInterface(1, 'lo')], { filter: `port ${PORT}` })
  await capture.halt()
  assert.equal(capture.messages.at(-1)?.t, 'done')
})
