import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AddressEntry } from '../../../src/pair/endpoint-pod.ts'
import type { InterfaceInfo } from '../../../src/target/interface-info.ts'
import { AssembleHarness, HOST_INTERFACE } from '../../support/assemble-harness.ts'
import { SERVER } from '../../support/tcp-frames.ts'
import { TcpScript } from '../../support/tcp-script.ts'
import { vantagePoint } from '../../support/vantage-point.ts'

const POD: InterfaceInfo = { ...HOST_INTERFACE, vantagePoint: vantagePoint({ addresses: [SERVER.address] }) }

/** A pod whose names occupy more than `bytes`. */
const holder = (address: string, name: string, bytes = 0): AddressEntry => ({
  address,
  holders: [
    {
      pod: {
        identity: { name, namespace: 'shop', uid: `uid-${name}`, workload: null, labels: { app: 'x'.repeat(bytes) } },
        container: null,
        containersByPort: {},
      },
      fromMicros: 0,
      toMicros: null,
    },
  ],
})

const exchange = (): TcpScript =>
  new TcpScript().handshake().client('GET / HTTP/1.1\r\n\r\n').server('HTTP/1.1 204 No\r\n\r\n')

test('names: each pair of a connection has the names that apply at its time', () => {
  const harness = new AssembleHarness({ interfaces: [POD] })
  const { assembler } = harness
  const script = exchange()
  const ends = [script.segments.length]
  for (let i = 0; i < 2; i++) {
    script.client('GET / HTTP/1.1\r\n\r\n').server('HTTP/1.1 204 No\r\n\r\n')
    ends.push(script.segments.length)
  }
  assembler.setAddresses([holder(SERVER.address, 'first')])
  harness.segments(script.segments.slice(0, ends[0]))
  assembler.setAddresses([holder(SERVER.address, 'second')])
  harness.segments(script.segments.slice(ends[0], ends[1]))
  assembler.addInterface(0, { ...POD, name: 'eth1' })
  harness.segments(script.segments.slice(ends[1]))
  const { pairs } = harness.finish()
  assert.deepEqual(
    pairs.map(({ server, capture }) => [server.pod?.name, capture.interface]),
    [
      ['first', 'eth0'],
      ['second', 'eth0'],
      ['second', 'eth1'],
    ],
  )
})

test('names: names all pods, even if together they need more memory than available', () => {
  const clients = Array.from({ length: 150 }, (_, i) => `10.1.0.${i}`)
  const harness = new AssembleHarness({ interfaces: [POD], keep: 'both' })
  harness.assembler.setAddresses(clients.map((address) => holder(address, `pod-${address}`, 40_000)))
  // Each is named twice, the second time after other pods have overwritten its names.
  for (const port of [20_000, 20_001]) {
    for (const address of clients) harness.script(exchange().close(), { client: { address, port } })
  }
  const { pairs } = harness.finish()
  assert.equal(pairs.length, 2 * clients.length)
  for (const { client } of pairs) {
    assert.equal(client.pod?.name, `pod-${client.address}`)
    assert.equal(client.pod?.labels['app'], 'x'.repeat(40_000))
  }
})

test('names: names many interfaces whose long names need more memory than available', () => {
  const names = Array.from({ length: 40 }, (_, i) => `${i}-${'€'.repeat(15_000)}`)
  const harness = new AssembleHarness({ interfaces: names.map(() => POD) })
  for (const [id, name] of names.entries()) harness.assembler.addInterface(id, { ...POD, name })
  const expected: string[] = []
  for (const port of [20_000, 30_000]) {
    for (const [interfaceId, name] of names.entries()) {
      const client = { address: '10.1.0.1', port: port + interfaceId }
      harness.script(exchange().close(), { interfaceId, client })
      expected.push(name)
    }
  }
  const { pairs } = harness.finish()
  assert.deepEqual(
    pairs.map(({ capture }) => capture.interface),
    expected,
  )
})
