/** The bound on additional records of streams with held pieces, suspicions or doubts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { END_EVICTED } from '../../../src/ledger/reasons.ts'
import { CLIENT, type Link } from '../../support/tcp-frames.ts'
import { fromClient, fromServer, handshake } from './raw-segments.ts'
import { TcpHarness } from './tcp-harness.ts'

const RECORDS = 48
/** Records that may exceed the bound until an eviction frees one. */
const BEYOND = 8
const from = (port: number): Link => ({ client: { ...CLIENT, port } })

test('rare state: at the bound, evicts the connection with the oldest record, so that a new one has room', () => {
  const tcp = new TcpHarness({ rareStates: RECORDS })
  for (let port = 1; port <= 500; port++) {
    tcp.segments([...handshake(), fromClient(5, 'behind a hole')], from(port))
    assert.ok(tcp.rareStates <= RECORDS - BEYOND + 1, `${tcp.rareStates} records`)
  }
  const evicted = tcp.count('flows.closed.evicted')
  assert.equal(evicted + tcp.rareStates, 500)
  assert.deepEqual(
    tcp.connections.map(({ clientEnd }) => clientEnd === END_EVICTED),
    tcp.connections.map((_, i) => i < evicted),
  )
  tcp.segment(fromClient(0, 'hole.'), from(500))
  assert.equal(tcp.connections.at(-1)?.client, 'hole.behind a hole')
  tcp.finish()
  assert.equal(tcp.rareStates, 0)
})

test('rare state: frees the record once the connection no longer needs it', () => {
  const tcp = new TcpHarness({ rareStates: RECORDS })
  for (let port = 1; port <= 500; port++) {
    tcp.segments([...handshake(), fromClient(1, 'b'), fromClient(0, 'a'), fromServer(0, '', { acks: 2 })], from(port))
  }
  assert.equal(tcp.rareStates, 0)
  assert.equal(tcp.count('flows.open'), 500)
})

test('rare state: a hole that becomes a gap leaves no record, even if its connection has no further segment', () => {
  const tcp = new TcpHarness({ rareStates: RECORDS })
  const first = fromClient(5, 'x')
  tcp.segments([...handshake(), first], from(1))
  assert.equal(tcp.rareStates, 1)
  for (const seconds of [40, 41]) tcp.tick(first.micros + seconds * 1_000_000)
  assert.equal(tcp.count('gaps.expired'), 1)
  assert.equal(tcp.rareStates, 0)
  assert.equal(tcp.count('flows.open'), 1)
})
