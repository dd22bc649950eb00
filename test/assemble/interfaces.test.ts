/** The counters of an interface, from frames. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { interfaceTotals } from '../../src/admin/interface-totals.ts'
import { allocateTraffic } from '../../src/ledger/traffic.ts'
import { podInterface } from '../admin/agent-state.ts'
import { AssembleHarness, HOST_INTERFACE } from '../support/assemble-harness.ts'
import { numbered, request, sequential } from '../support/http-script.ts'
import { CLIENT, type Link } from '../support/tcp-frames.ts'
import { START_MICROS, TcpScript } from '../support/tcp-script.ts'

const from = (port: number): Link => ({ client: { ...CLIENT, port } })
const opened = (): TcpScript => new TcpScript().handshake()

/** A ClientHello with the extension server_name alone (RFC 8446 §4.1.2, RFC 6066 §3). */
function clientHello(name: string): Buffer {
  const entry = Buffer.concat([Buffer.from([0, 0, name.length]), Buffer.from(name)])
  const extension = Buffer.concat([Buffer.from([0, 0, 0, entry.length + 2, 0, entry.length]), entry])
  const extensions = Buffer.concat([Buffer.from([0, extension.length]), extension])
  const body = Buffer.concat([Buffer.from([3, 3]), Buffer.alloc(32), Buffer.from([0, 0, 2, 19, 1, 1, 0]), extensions])
  const handshake = Buffer.concat([Buffer.from([1, 0, 0, body.length]), body])
  return Buffer.concat([Buffer.from([22, 3, 1, 0, handshake.length]), handshake])
}

const UPGRADE = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

test('interface traffic: counts connections by protocol and exchanges by outcome, separately for each interface', () => {
  const harness = new AssembleHarness({ interfaces: [HOST_INTERFACE, { ...HOST_INTERFACE, name: 'eth1' }] })
  const [eth0, eth1] = [allocateTraffic(), allocateTraffic()]
  harness.assembler.addInterface(0, HOST_INTERFACE, eth0)
  harness.assembler.addInterface(1, { ...HOST_INTERFACE, name: 'eth1' }, eth1)
  harness
    .script(sequential(3), from(1001))
    .script(opened().client(clientHello('api.example.com')), from(1002))
    .script(opened().client(clientHello('api.example.com')), from(1003))
    .script(opened().client('*1\r\n$4\r\nPING\r\n').server('+PONG\r\n'), from(1004))
    .script(opened().client('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), from(1005))
    .script(opened().client(request('/socket')).server(UPGRADE), from(1006))
    .script(opened().client(request('/1')), from(1007))
    .script(opened(), from(1008))
  const { ledger } = harness.finish()
  const read = (shared: SharedArrayBuffer) => interfaceTotals([{ ...podInterface(1, 'shop/a'), traffic: [shared] }])
  const { frames, lastPairMicros, ...seen } = read(eth0)
  assert.deepEqual(seen, {
    connections: { seen: 8, http1: 3, tls: 2, http2: 1, other: 1, upgraded: 1, unrecognised: 1 },
    serverNames: { 'api.example.com': 2 },
    protocols: { Redis: 1 },
    requests: 5,
    responses: 4,
    pairs: { kept: Object(ledger['pairs']).kept, filtered: {}, dropped: {} },
    abandoned: { ended: 1 },
  })
  assert.ok(lastPairMicros !== null && lastPairMicros >= START_MICROS)
  assert.deepEqual(read(eth1).connections, { seen: 0 })
})

test('interface traffic: counts filtered pairs by the rule', () => {
  const harness = new AssembleHarness({ everything: false })
  const shared = allocateTraffic()
  harness.assembler.addInterface(0, HOST_INTERFACE, shared)
  harness.script(opened().client(request('/metrics')).server(numbered(0)))
  harness.finish()
  const { pairs, lastPairMicros } = interfaceTotals([{ ...podInterface(1, 'shop/a'), traffic: [shared] }])
  assert.deepEqual([pairs, lastPairMicros], [{ kept: 0, filtered: { path: 1 }, dropped: {} }, null])
})

test('interfaces: the most interfaces of a file, with the longest names, are named in their pairs', () => {
  const count = 1024
  const interfaces = Array.from({ length: count }, (_, id) => ({
    ...HOST_INTERFACE,
    name: `${id}${'\u{fffd}'.repeat(256)}`,
  }))
  const harness = new AssembleHarness({ interfaces, node: 'n'.repeat(2000) })
  for (const interfaceId of [0, count - 1, 1, 500, 0]) {
    const { port } = CLIENT
    const script = new TcpScript({ startMicros: START_MICROS + interfaceId }).handshake().client(request('/0'))
    harness.script(script.server(numbered(0)).close(), { ...from(port + interfaceId), interfaceId })
  }
  // There is not enough room for all interfaces at once, so each has to replace another.
  for (let interfaceId = 0; interfaceId < count; interfaceId++) {
    const script = opened().client(request('/1')).server(numbered(1)).close()
    harness.script(script, { ...from(10_000 + interfaceId), interfaceId })
  }
  const { pairs } = harness.finish()
  assert.deepEqual(
    pairs.map(({ capture }) => Number.parseInt(capture.interface, 10)),
    [0, count - 1, 1, 500, 0, ...Array.from({ length: count }, (_, id) => id)],
  )
})
