/** Which of several SYN-ACKs the client accepted, according to its first acknowledgement. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FLAG_RST, FLAG_SYN } from '../../../src/net/tcp-header.ts'
import { ACK as FLAG_ACK } from '../../support/tcp-script.ts'
import { TcpProgram } from './tcp-program.ts'

const FIRST = 0x7fff_fff0
const OTHER = 123_456
/** The largest window in common use (src/assemble/core/tcp/seq.ts). */
const WINDOW_BYTES = 4 * 1024 * 1024

const { exports: tcp, input } = new TcpProgram({})

/** A server's stream whose SYN-ACK was captured, and maybe a second one. */
function server(other?: number): number {
  const flow = tcp.newFlow()
  const stream = tcp.streamOf(flow, 0)
  tcp.beginStream(stream, FIRST)
  if (other !== undefined) tcp.rememberSyn(flow, 0, (other - 1) | 0)
  return stream
}

const numbers = (stream: number): (number | boolean)[] => [
  tcp.firstSeqOf(stream),
  tcp.streamNextSeq(stream),
  tcp.reachedOf(stream),
  tcp.otherSynSeen(stream) !== 0,
]

describe('handshake: the SYN-ACK that the client accepts', () => {
  for (const [what, ack] of [
    ['the SYN alone', FIRST],
    ['data behind it that is captured later', (FIRST + 5000) | 0],
    ['data up to the largest window', (FIRST + WINDOW_BYTES) | 0],
  ] as const) {
    test(`is the captured one if the client acknowledges ${what}`, () => {
      const stream = server(OTHER)
      tcp.acceptSynAck(stream, ack, FLAG_ACK)
      assert.deepEqual(numbers(stream), [FIRST, FIRST, FIRST, true])
    })
  }

  test('is the second one if the client acknowledges that, whether its number is lower or higher than the first one’s', () => {
    for (const other of [OTHER, (FIRST + 100) | 0, (FIRST - 100) | 0]) {
      const stream = server(other)
      tcp.acceptSynAck(stream, other, FLAG_ACK)
      assert.deepEqual(numbers(stream), [other, other, other, false])
    }
  })

  test('is one that was not captured if no captured one can have sent the acknowledged bytes', () => {
    for (const ack of [(FIRST - 1) | 0, (FIRST + WINDOW_BYTES + 1) | 0, (FIRST + 2 ** 31) | 0]) {
      for (const stream of [server(), server(OTHER)]) {
        tcp.acceptSynAck(stream, ack, FLAG_ACK)
        assert.deepEqual(numbers(stream), [ack, ack, ack, false])
        assert.equal(tcp.hasDelivered(stream), 0)
      }
    }
  })

  test('is not decided by a segment without ACK, by a SYN, or by a later acknowledgement', () => {
    for (const flags of [0, FLAG_SYN, FLAG_SYN | FLAG_ACK, FLAG_RST]) {
      const stream = server(OTHER)
      tcp.acceptSynAck(stream, OTHER, flags)
      assert.deepEqual(numbers(stream), [FIRST, FIRST, FIRST, true], `flags ${flags}`)
    }
    const zero = server(OTHER)
    tcp.acceptSynAck(zero, 0, FLAG_ACK)
    const acknowledged = server(OTHER)
    tcp.setAcked(acknowledged, FIRST)
    tcp.acceptSynAck(acknowledged, OTHER, FLAG_ACK)
    const holding = server(OTHER)
    tcp.addPiece(tcp.rareStateOf(holding, 0), 0, input, input + 1, FIRST + 5, 0, 0, 0)
    tcp.acceptSynAck(holding, OTHER, FLAG_ACK)
    for (const stream of [zero, acknowledged, holding]) assert.equal(tcp.firstSeqOf(stream), FIRST)
  })

  test('is unknown if none was captured', () => {
    const stream = tcp.streamOf(tcp.newFlow(), 0)
    tcp.acceptSynAck(stream, OTHER, FLAG_ACK)
    assert.deepEqual([tcp.isKnown(stream), tcp.isSynSeen(stream)], [0, 0])
  })
})
