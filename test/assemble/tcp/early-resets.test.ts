/** RSTs captured before bytes that their senders had received: the exchanges of these bytes are not lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { END_RESET } from '../../../src/ledger/reasons.ts'
import { assemble } from '../../support/assemble-harness.ts'
import { numbered, request } from '../../support/http-script.ts'
import { RST, type Segment, START_MICROS, TcpScript } from '../../support/tcp-script.ts'
import { fromClient, fromServer, handshake, syn } from './raw-segments.ts'
import { TcpHarness } from './tcp-harness.ts'

const MILLISECOND = 1000

/** A client's RST that acknowledges five bytes of the server, none of which was captured. */
const early = (...after: Segment[]): TcpHarness =>
  new TcpHarness().segments([
    ...handshake(),
    fromClient(0, 'abc'),
    fromClient(3, '', { flags: RST, acks: 5 }),
    ...after,
  ])

test('early resets: closes the connection once the bytes are captured', () => {
  const tcp = early(fromServer(3, 'st'))
  assert.equal(tcp.count('flows.closed.reset'), 0)
  tcp.segment(fromServer(0, 'pqr'))
  assert.equal(tcp.count('flows.closed.reset'), 1)
  assert.deepEqual([tcp.only.server, tcp.only.serverEnd, tcp.only.clientEnd], ['pqrst', END_RESET, END_RESET])
  assert.equal(tcp.count('segments.inexactReset'), 0)
})

test('early resets: closes the connection after 50 ms without them', () => {
  const tcp = early().tick(START_MICROS + 40 * MILLISECOND)
  assert.equal(tcp.count('flows.closed.reset'), 0)
  tcp.tick(START_MICROS + 200 * MILLISECOND)
  assert.equal(tcp.count('flows.closed.reset'), 1)
})

test('early resets: ignores the RST if its sender continues', () => {
  const tcp = early(fromClient(3, 'def'), fromServer(0, 'pqrst')).tick(START_MICROS + 200 * MILLISECOND)
  assert.equal(tcp.count('flows.closed.reset'), 0)
  assert.deepEqual([tcp.only.client, tcp.only.server], ['abcdef', 'pqrst'])
})

test('early resets: a new connection on the same ports does not end with the old one', () => {
  const tcp = early(syn(2_000_000_000)).tick(START_MICROS + 200 * MILLISECOND)
  assert.equal(tcp.count('flows.closed.reset'), 1)
  assert.equal(tcp.count('flows.open'), 1)
})

test('early resets: a response captured behind the RST of its client is paired', () => {
  const { segments } = new TcpScript({ segmentBytes: 40 })
    .handshake()
    .client(request('/0'))
    .server(numbered(0))
    .reset('client')
  const rst = segments.at(-1) as Segment
  for (let place = 1; place <= 4; place++) {
    const { pairs } = assemble([...segments.slice(0, -1)].toSpliced(-place, 0, rst))
    assert.equal(pairs.length, 1, `${place} segments early`)
  }
})

test('early resets: a response is paired, captured in any order with the RST that its server sent after it', () => {
  const { segments } = new TcpScript({ segmentBytes: 40, bareAcks: false })
    .handshake()
    .client(request('/0'))
    .server(numbered(0))
    .reset('server')
  const first = segments.findIndex(({ fromClient, payload }) => !fromClient && payload.length > 0)
  const rest = segments.slice(first)
  assert.equal(rest.length, 4)
  for (const order of permutations(rest)) {
    for (const acks of [false, true]) {
      const acked = fromClient(request('/0').length, '', { acks: numbered(0).length })
      const received = acks ? order.flatMap((segment) => [segment, { ...acked, micros: segment.micros }]) : order
      const { pairs } = assemble([...segments.slice(0, first), ...received])
      assert.equal(pairs.length, 1, `${order.map(({ seq }) => seq)}, ${acks ? 'acknowledged' : 'not acknowledged'}`)
    }
  }
})

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]))
}

test('early resets: closes a connection whose hole is never filled after 50 ms', () => {
  const held = [fromServer(0, 'ab'), fromServer(4, 'ef'), fromServer(6, '', { flags: RST })]
  const tcp = new TcpHarness().segments([...handshake(), ...held]).tick(START_MICROS + 40 * MILLISECOND)
  assert.equal(tcp.count('flows.closed.reset'), 0)
  tcp.tick(START_MICROS + 200 * MILLISECOND)
  assert.equal(tcp.count('flows.closed.reset'), 1)
  assert.deepEqual([tcp.only.server, tcp.only.serverEnd], ['ab[2]ef', END_RESET])
})
