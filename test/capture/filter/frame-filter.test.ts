import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needs } from '../../../rig/needs.ts'
import { ExpressionFilter } from '../../../src/capture/filter/frame-filter.ts'
import { EXIT_USAGE, InterceptorError } from '../../../src/errors.ts'
import { ethernet, packet, tcp } from '../../support/frames.ts'

const skip = needs('libpcap')
const ADDRESSES = { source: [10, 0, 0, 1], destination: [10, 0, 0, 2], protocol: 6 }
const to = (port: number): Uint8Array => packet({ ...ADDRESSES, payload: tcp(1234, port) })

const accepts = (filter: ExpressionFilter, frame: Uint8Array, linkType: number, start = 0): boolean => {
  const bytes = Uint8Array.from([...new Uint8Array(start), ...frame])
  return filter.accepts(new DataView(bytes.buffer), start, bytes.length, frame.length, linkType)
}

/** A frame of each link type, with the same packet inside. */
const FRAMES: [name: string, linkType: number, make: (packet: Uint8Array) => Uint8Array][] = [
  ['Ethernet', 1, (payload) => ethernet({ payload })],
  ['VLAN', 1, (payload) => ethernet({ tags: [0x8100], payload })],
  ['raw IP', 101, (payload) => payload],
  ['BSD loopback', 0, (payload) => Uint8Array.from([2, 0, 0, 0, ...payload])],
  ['Linux cooked', 113, (payload) => Uint8Array.from([...new Uint8Array(14), 8, 0, ...payload])],
  ['PKTAP', 258, (payload) => Uint8Array.from([...pktap(1), ...ethernet({ payload })])],
]
const pktap = (dlt: number): number[] => [108, 0, 0, 0, 1, 0, 0, 0, dlt, 0, 0, 0, ...new Uint8Array(96)]

test('frame filter: compiles the expression for each link type', { skip }, () => {
  const plain = new ExpressionFilter('tcp dst port 80')
  const tagged = new ExpressionFilter('vlan 100 and tcp dst port 80')
  for (const round of [0, 1]) {
    for (const [name, linkType, make] of FRAMES) {
      const filter = name === 'VLAN' ? tagged : plain
      assert.deepEqual(
        [accepts(filter, make(to(80)), linkType, round), accepts(filter, make(to(81)), linkType, round)],
        [true, false],
        name,
      )
    }
  }
})

test('frame filter: `len` is the length on the wire', { skip }, () => {
  const filter = new ExpressionFilter('greater 1000')
  const frame = ethernet({ payload: to(80) })
  const view = new DataView(frame.buffer)
  assert.deepEqual(
    [filter.accepts(view, 0, frame.length, 1000, 1), filter.accepts(view, 0, frame.length, 999, 1)],
    [true, false],
  )
})

test('frame filter: passes frames of unreadable link types', { skip }, () => {
  const filter = new ExpressionFilter('tcp dst port 80')
  assert.equal(accepts(filter, new Uint8Array(60), 127), true)
  assert.equal(accepts(filter, Uint8Array.from([...pktap(127), ...new Uint8Array(60)]), 258), true)
})

const FAULTS: [expression: string, linkType: number, message: RegExp][] = [
  ['tcp prt 80', 1, /bad filter expression.*link type 1 \(ETHERNET\).*syntax error/],
  ['ether host 2:0:0:0:0:1', 101, /link type 101 \(RAW\)/],
  ['inbound', 1, /cannot be applied to a capture file/],
]

for (const [expression, linkType, message] of FAULTS) {
  test(`frame filter: "${expression}" is a usage error for link type ${linkType}`, { skip }, () => {
    assert.throws(
      () => accepts(new ExpressionFilter(expression), ethernet({ payload: to(80) }), linkType),
      (error) => error instanceof InterceptorError && error.exitCode === EXIT_USAGE && message.test(error.message),
    )
  })
}
