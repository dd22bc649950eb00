/** Which of several SYN-ACKs a connection begins with, by the client's first acknowledgement. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Stream } from '../../../src/assemble/tcp/flow.ts'
import { acceptSynAck, beginStream, hasDelivered, rememberSyn } from '../../../src/assemble/tcp/handshake.ts'
import { WINDOW_BYTES } from '../../../src/assemble/tcp/seq.ts'
import { FLAG_ACK, FLAG_RST, FLAG_SYN } from '../../../src/net/tcp-header.ts'

const FIRST = 0x7fff_fff0
const OTHER = 123_456

/** A server's stream whose SYN-ACK was captured, and maybe a second one. */
function server(other?: number): Stream {
  const stream = new Stream()
  beginStream(stream, FIRST)
  if (other !== undefined) rememberSyn(stream, (other - 1) | 0)
  return stream
}

const numbers = ({ firstSeq, nextSeq, reached, otherSynSeen }: Stream): (number | boolean)[] => [
  firstSeq,
  nextSeq,
  reached,
  otherSynSeen,
]

describe('handshake: the SYN-ACK that the client accepts', () => {
  for (const [what, ack] of [
    ['the SYN alone', FIRST],
    ['data behind it that is captured later', (FIRST + 5000) | 0],
    ['data up to the largest window', (FIRST + WINDOW_BYTES) | 0],
  ] as const) {
    test(`is the one captured where it acknowledges ${what}`, () => {
      const stream = server(OTHER)
      acceptSynAck(stream, ack, FLAG_ACK)
      assert.deepEqual(numbers(stream), [FIRST, FIRST, FIRST, true])
    })
  }

  test('is the second one where it acknowledges that, in front of the first or behind it', () => {
    for (const other of [OTHER, (FIRST + 100) | 0, (FIRST - 100) | 0]) {
      const stream = server(other)
      acceptSynAck(stream, other, FLAG_ACK)
      assert.deepEqual(numbers(stream), [other, other, other, false])
    }
  })

  test('is one that was not captured where it acknowledges what none can have sent', () => {
    for (const ack of [(FIRST - 1) | 0, (FIRST + WINDOW_BYTES + 1) | 0, (FIRST + 2 ** 31) | 0]) {
      for (const stream of [server(), server(OTHER)]) {
        acceptSynAck(stream, ack, FLAG_ACK)
        assert.deepEqual(numbers(stream), [ack, ack, ack, false])
        assert.equal(hasDelivered(stream), false)
      }
    }
  })

  test('is not decided by a segment without acknowledgement, by a SYN, or by a later acknowledgement', () => {
    for (const flags of [0, FLAG_SYN, FLAG_SYN | FLAG_ACK, FLAG_RST]) {
      const stream = server(OTHER)
      acceptSynAck(stream, OTHER, flags)
      assert.deepEqual(numbers(stream), [FIRST, FIRST, FIRST, true], `flags ${flags}`)
    }
    const zero = server(OTHER)
    acceptSynAck(zero, 0, FLAG_ACK)
    const acknowledged = server(OTHER)
    acknowledged.ackedKnown = true
    acceptSynAck(acknowledged, OTHER, FLAG_ACK)
    const holding = server(OTHER)
    holding.held = 1
    acceptSynAck(holding, OTHER, FLAG_ACK)
    for (const stream of [zero, acknowledged, holding]) assert.equal(stream.firstSeq, FIRST)
  })

  test('is unknown while none was captured', () => {
    const stream = new Stream()
    acceptSynAck(stream, OTHER, FLAG_ACK)
    assert.deepEqual([stream.known, stream.synSeen], [false, false])
  })
})
