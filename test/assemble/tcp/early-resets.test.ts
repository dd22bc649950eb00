/** RSTs captured before bytes that their senders had received: what these belong to is not lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { END_RESET } from '../../../src/ledger/reasons.ts'
import { assemble } from '../../support/assemble-harness.ts'
import { numbered, request } from '../../support/http-script.ts'
import { RST, type Segment, START_MICROS, TcpScript } from '../../support/tcp-script.ts'
import { fromClient, fromServer, handshake, syn } from './raw-segments.ts'
import { TcpHarness } from './tcp-harness.ts'

const MILLISECOND = 1000

/** A client's RST that acknowledges five bytes of the server, of which none was captured. */
const early = (...after: Segment[]): TcpHarness =>
  new TcpHarness().segments([
    ...handshake(),
    fromClient(0, 'abc'),
    fromClient(3, '', { flags: RST, acks: 5 }),
    ...after,
  ])

test('early resets: the connection is closed once the bytes are captured', () => {
  const tcp = early(fromServer(3, 'st'))
  assert.equal(tcp.count('flows.closed.reset'), 0)
  tcp.segment(fromServer(0, 'pqr'))
  assert.equal(tcp.count('flows.closed.reset'), 1)
  assert.deepEqual([tcp.only.server, tcp.only.serverEnd, tcp.only.clientEnd], ['pqrst', END_RESET, END_RESET])
  assert.equal(tcp.count('segments.inexactReset'), 0)
})

test('early resets: the connection is closed 50 ms later without them', () => {
  const tcp = early().tick(START_MICROS + 40 * MILLISECOND)
  assert.equal(tcp.count('flows.closed.reset'), 0)
  tcp.tick(START_MICROS + 200 * MILLISECOND)
  assert.equal(tcp.count('flows.closed.reset'), 1)
})

test('early resets: a sender that continues was not reset', () => {
  const tcp = early(fromClient(3, 'def'), fromServer(0, 'pqrst')).tick(START_MICROS + 200 * MILLISECOND)
  assert.equal(tcp.count('flows.closed.reset'), 0)
  assert.deepEqual([tcp.only.client, tcp.only.server], ['abcdef', 'pqrst'])
})

test('early resets: a new connection on the ports does not end with the old one', () => {
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
