import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { END_FIN, END_INPUT } from '../../../src/ledger/reasons.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { cutAll, type Segment, START_MICROS, TcpScript, URG } from '../../support/tcp-script.ts'
import { continueAt, fromClient, fromServer, handshake } from './raw-segments.ts'
import { deliver, harness, later, patient, TcpHarness } from './tcp-harness.ts'

const letters = (count: number): string =>
  Array.from({ length: count }, (_, i) => String.fromCharCode(97 + (i % 26))).join('')

describe('reassembler: sequence numbers', () => {
  test('wrap at 2^32 before, within and after every byte of a stream', () => {
    const client = letters(12)
    const server = letters(20)
    for (let before = 0; before <= 22; before++) {
      for (const size of [1, 3, 20]) {
        const isn = 2 ** 32 - before
        const script = new TcpScript({ clientIsn: isn, serverIsn: isn + 3, segmentBytes: size })
        script.handshake().client(client).server(server).close()
        const delivered = deliver(script)
        assert.equal(delivered.client, client, `${before} before the wrap in segments of ${size}`)
        assert.equal(delivered.server, server)
        assert.equal(delivered.clientEnd, END_FIN)
        assert.equal(delivered.serverEnd, END_FIN)
      }
    }
  })

  test('are reordered across the wrap', () => {
    for (let before = 0; before <= 8; before++) {
      const isn = 2 ** 32 - before
      const { segments } = new TcpScript({ clientIsn: isn, segmentBytes: 2, bareAcks: false })
        .handshake()
        .client('abcdefgh')
      assert.equal(deliver([...segments.slice(0, 3), ...segments.slice(3).reverse()]).client, 'abcdefgh')
    }
  })
})

describe('reassembler: order', () => {
  test('four segments in any order are delivered in order', () => {
    const parts = ['ab', 'cd', 'ef', 'gh']
    for (const order of permutations([0, 1, 2, 3])) {
      const segments = order.map((i) => fromClient(i * 2, parts[i]))
      assert.equal(harness(...segments).only.client, 'abcdefgh', order.join())
    }
  })

  test('bytes behind a hole are not delivered before the hole is filled', () => {
    const tcp = harness(fromClient(0, 'ab'), fromClient(4, 'ef'))
    assert.equal(tcp.only.client, 'ab')
    assert.equal(tcp.count('segments.outOfOrder'), 1)
    assert.equal(tcp.segment(fromClient(2, 'cd')).only.client, 'abcdef')
    assert.equal(tcp.pool.usedBytes, 0)
  })

  test('an exact duplicate is counted and delivers nothing', () => {
    const tcp = harness(fromClient(0, 'ab'), fromClient(0, 'ab'), fromClient(2, 'cd'))
    assert.equal(tcp.only.client, 'abcd')
    assert.equal(tcp.count('segments.duplicate'), 1)
  })

  test('segments that are all captured twice, as on two VLANs or a bridge, are delivered once', () => {
    const { segments } = new TcpScript({ segmentBytes: 3 }).handshake().client('a request').server('a response').close()
    const delivered = deliver(segments.flatMap((segment) => [segment, segment]))
    assert.equal(delivered.client, 'a request')
    assert.equal(delivered.server, 'a response')
  })
})

describe('reassembler: overlaps', () => {
  test('the first copy of a byte wins over a retransmission with other bytes', () => {
    assert.equal(harness(fromClient(0, 'abcd'), fromClient(2, 'XXef')).only.client, 'abcdef')
    assert.equal(harness(fromClient(2, 'cd'), fromClient(0, 'abXXef')).only.client, 'abcdef')
  })

  test('the first copy also wins among held segments', () => {
    const held = [fromClient(4, 'ef'), fromClient(2, 'cdXX'), fromClient(6, 'gh'), fromClient(3, 'XXXXXij')]
    assert.equal(harness(...held, fromClient(0, 'ab')).only.client, 'abcdefghij')
  })

  test('overlaps in both directions are independent', () => {
    const tcp = harness(fromServer(0, 'abcd'), fromServer(2, 'XXef'), fromServer(8, 'ij'), fromServer(4, 'XXghXXkl'))
    assert.equal(tcp.only.server, 'abcdefghijkl')
  })

  test('a longer retransmission adds its new bytes, and a shorter one nothing', () => {
    assert.equal(harness(fromClient(0, 'abc'), fromClient(0, 'XXXdef'), fromClient(1, 'XX')).only.client, 'abcdef')
  })

  test('retransmissions with other boundaries add their new bytes', () => {
    const text = letters(60)
    for (let first = 1; first < 12; first++) {
      for (let second = 1; second < 12; second++) {
        const segments: Segment[] = []
        for (let at = 0; at < 60; at += first)
          if (at % (2 * first) === 0) segments.push(fromClient(at, text.slice(at, Math.min(60, at + first))))
        for (let at = 0; at < 60; at += second) segments.push(fromClient(at, text.slice(at, Math.min(60, at + second))))
        assert.equal(harness(...segments).only.client, text, `${first}, then ${second}`)
      }
    }
  })
})

describe('reassembler: holes and gaps', () => {
  test('an acknowledged hole becomes a gap after four more segments and a millisecond', () => {
    const tcp = patient(fromClient(0, 'ab'), fromClient(4, 'ef'), fromServer(0, 'x', { acks: 6 }))
    for (let i = 0; i < 3; i++) assert.equal(tcp.segment(fromServer(1, '', { acks: 6 })).only.client, 'ab')
    assert.equal(tcp.segment(fromServer(1, '', { acks: 6 })).only.client, 'ab[2]ef')
    assert.equal(tcp.only.server, 'x')
    assert.equal(tcp.count('gaps.acked'), 1)
    assert.equal(tcp.count('bytes.gap'), 2)
  })

  test('bytes of which only later segments show that they were sent become a gap, whatever number a damaged one has', () => {
    for (const damaged of [[], [fromClient(2 + 2 ** 31, '')]]) {
      const tcp = patient(fromClient(0, 'ab'), fromClient(6, ''), ...damaged, fromServer(0, 'x', { acks: 6 }))
      for (let i = 0; i < 4; i++) tcp.segment(fromServer(1, '', { acks: 6 }))
      assert.equal(tcp.only.client, 'ab[4]')
      assert.equal(tcp.count('gaps.acked'), 1)
    }
  })

  test('neither four segments within a millisecond nor a millisecond without segments is enough', () => {
    const hole = [fromClient(0, 'ab'), fromClient(4, 'ef'), fromServer(0, 'x', { acks: 6 })]
    const fast = harness(...hole)
    continueAt(hole[2].micros)
    assert.equal(later(fast, 6).only.client, 'ab')
    const tcp = patient(...hole)
    assert.equal(tcp.segment(fromServer(1, '', { acks: 6 })).only.client, 'ab')
  })

  test('an acknowledged hole becomes a gap after 50 ms, even without segments on its connection', () => {
    const hole = [fromClient(0, 'ab'), fromClient(4, 'ef'), fromServer(0, 'x', { acks: 6 })]
    const tcp = harness(...hole)
    const { micros } = hole[2]
    tcp.tick(micros + 49_000)
    assert.equal(tcp.only.client, 'ab')
    tcp.tick(micros + 100_000)
    assert.equal(tcp.only.client, 'ab[2]ef')
    assert.equal(tcp.count('gaps.acked'), 1)
  })

  for (const [what, ack] of [
    ['a bare acknowledgement', fromClient(0, '', { acks: 6 })],
    ['an acknowledgement with data', fromClient(0, 'next', { acks: 6 })],
  ] as const) {
    test(`${what} may be captured up to three positions before the bytes that it covers`, () => {
      const data = ['ab', 'cd', 'ef'].map((text, i) => fromServer(2 * i, text))
      for (const order of permutations([0, 1, 2])) {
        for (const at of [0, 1, 2, 3]) {
          const segments = order.map((i) => data[i]).toSpliced(at, 0, ack)
          const tcp = patient(...segments)
          assert.equal(tcp.only.server, 'abcdef', `${order.join()}, acknowledged at ${at}`)
          assert.equal(tcp.count('bytes.gap'), 0)
        }
      }
    })
  }

  test('lost bytes at the end of the sent data become a gap once they are acknowledged and more segments follow', () => {
    const tcp = patient(fromClient(0, 'ab'), fromServer(0, 'x', { acks: 4 }), fromClient(4, 'ef'))
    assert.equal(later(tcp, 4).only.client, 'ab[2]ef')
    assert.equal(tcp.only.server, 'x')
  })

  test('a partly acknowledged hole stays open for the rest', () => {
    const tcp = patient(fromClient(0, 'ab'), fromClient(6, 'gh'), fromServer(0, 'x', { acks: 4 }))
    assert.equal(later(tcp, 4).only.client, 'ab[2]')
    assert.equal(tcp.segment(fromClient(4, 'ef')).only.client, 'ab[2]efgh')
  })

  test('the wait starts over for bytes that are acknowledged later', () => {
    const tcp = patient(fromClient(0, 'ab'), fromClient(4, 'ef'), fromServer(0, 'x', { acks: 3 }))
    for (let i = 0; i < 3; i++) tcp.segment(fromServer(1, '', { acks: 3 }))
    assert.equal(tcp.segment(fromServer(1, '', { acks: 6 })).only.client, 'ab[1]')
    assert.equal(tcp.segment(fromClient(3, 'd')).only.client, 'ab[1]def')
  })

  test('late copies of a gap’s bytes are duplicates', () => {
    const tcp = later(patient(fromClient(0, 'ab'), fromClient(4, 'ef'), fromServer(0, 'x', { acks: 6 })), 6)
    assert.equal(tcp.segment(fromClient(2, 'cd')).only.client, 'ab[2]ef')
    assert.equal(tcp.count('segments.duplicate'), 1)
  })

  test('an unacknowledged hole expires after 30 s of packet time', () => {
    const micros = START_MICROS + 1000
    const tcp = harness(fromServer(2, 'cd', { micros }), fromServer(4, 'ef', { micros: micros + 30_000_000 }))
    assert.equal(tcp.connections.length, 0)
    tcp.tick(micros + 30_100_000)
    assert.equal(tcp.only.server, '[2]cdef')
    assert.equal(tcp.count('gaps.expired'), 1)
  })

  test('holes at the end of the input become gaps, and the bytes behind them are delivered', () => {
    const tcp = harness(fromClient(2, 'cd'), fromClient(6, 'gh')).finish()
    assert.equal(tcp.only.client, '[2]cd[2]gh')
    assert.equal(tcp.only.clientEnd, END_INPUT)
    assert.equal(tcp.count('gaps.ended'), 2)
    assert.equal(tcp.pool.usedBytes, 0)
  })

  test('one stream holds at most 1 MiB; beyond, its oldest hole becomes a gap', () => {
    const piece = 'x'.repeat(1024)
    const tcp = harness()
    for (let i = 0; i < 1024; i++) tcp.segment(fromClient(1 + i * 1024, piece))
    assert.equal(tcp.connections.length, 0)
    assert.equal(tcp.count('gaps.bound'), 0)
    tcp.segment(fromClient(1 + 1024 * 1024, 'y'))
    assert.equal(tcp.count('gaps.bound'), 1)
    assert.equal(tcp.only.client.length, '[1]'.length + 1024 * 1024 + 1)
  })

  test('segments far ahead that their receiver has acknowledged are delivered behind the gap', () => {
    const lost = 80 * 1024 * 1024
    const held = 1024 * 1024
    const micros = START_MICROS + 1000
    const tcp = harness(fromClient(0, '', { acks: lost + 2 * held, micros }))
    for (let at = 0; at <= held; at += 1024) tcp.segment(fromServer(lost + at, 'x'.repeat(1024), { micros }))
    assert.equal(tcp.count('gaps.bound'), 1)
    assert.equal(tcp.count('segments.ignored'), 0)
    assert.equal(tcp.only.server.length, `[${lost}]`.length + held + 1024)
  })

  test('the cost of a held piece grows with the logarithm of their number, in any order', () => {
    const orders: Record<string, (i: number, count: number) => number> = {
      ascending: (i) => i,
      descending: (i, count) => count - 1 - i,
      scattered: (i, count) => (i * 7919) % count,
      'from both ends': (i, count) => (i % 2 === 0 ? i >> 1 : count - 1 - (i >> 1)),
    }
    for (const [name, place] of Object.entries(orders)) {
      const visits = (count: number): number => {
        const tcp = harness()
        for (let i = 0; i < count; i++) tcp.segment(fromClient(1 + 2 * place(i, count), 'x'))
        tcp.finish()
        return tcp.pieces.visits / count
      }
      const [few, many] = [visits(1000), visits(16_000)]
      assert.ok(many < 100, `${name}: ${many} nodes visited for a piece`)
      assert.ok(many < 2.5 * few, `${name}: ${few} nodes visited for a piece, with 16 times as many pieces ${many}`)
    }
  })

  test('one stream holds at most 16,384 pieces, and each of 80,000 one-byte segments is cheap', () => {
    const tcp = harness()
    for (let i = 0; i < 16_384; i++) tcp.segment(fromClient(1 + i, 'x'))
    assert.equal(tcp.pool.usedBytes, 16_384 * 128)
    for (let i = 16_384; i < 80_000; i++) tcp.segment(fromClient(1 + i, 'x'))
    assert.ok(tcp.pieces.visits < 80_000 * 60, `${tcp.pieces.visits} nodes visited`)
    assert.equal(tcp.count('gaps.bound'), 1)
    assert.equal(tcp.pool.usedBytes, 0)
    assert.equal(tcp.finish().only.client.length, '[1]'.length + 80_000)
  })

  test('the oldest holes become gaps when the pool is low, so that later ones have room', () => {
    const tcp = new TcpHarness({ poolBytes: 16 * 2048 })
    for (let port = 1; port <= 40; port++) {
      tcp.segments([...handshake(), fromClient(1, 'x'.repeat(1500))], { client: { address: '10.0.0.1', port } })
    }
    assert.ok(tcp.pool.usedBytes <= 16 * 2048)
    assert.deepEqual(
      tcp.connections.map(({ client }) => client.slice(0, 4)),
      Array.from({ length: 25 }, () => '[1]x'),
    )
    assert.equal(tcp.count('gaps.evicted'), 25)
    assert.equal(tcp.count('segments.noRoom'), 0)
    tcp.finish()
    assert.equal(tcp.pool.usedBytes, 0)
  })

  test('a segment behind a hole without room is treated as never captured', () => {
    const tcp = new TcpHarness({ poolBytes: 4 * 2048 }).segments(handshake())
    tcp
      .segment(fromClient(1, 'x'.repeat(9000)))
      .segment(fromClient(0, '.'))
      .finish()
    assert.equal(tcp.count('segments.noRoom'), 1)
    assert.equal(tcp.only.client, '.')
    assert.equal(tcp.pool.usedBytes, 0)
  })
})

describe('reassembler: delivers causes before effects', () => {
  test("a server's bytes wait for the client bytes that they acknowledge", () => {
    const tcp = harness(fromServer(0, 'answer', { acks: 7 }))
    assert.equal(tcp.connections.length, 0)
    tcp.segment(fromClient(0, 'request'))
    assert.deepEqual([tcp.only.client, tcp.only.server], ['request', 'answer'])
  })

  test("a client's bytes do not wait for the server's", () => {
    assert.equal(harness(fromClient(0, 'next', { acks: 100 })).only.client, 'next')
  })

  test('the bytes of a request that never arrives become a gap', () => {
    const tcp = later(patient(fromServer(0, 'answer', { acks: 7 }), fromClient(7, 'next', { acks: 6 })), 7)
    assert.deepEqual([tcp.only.client, tcp.only.server], ['[7]next', 'answer'])
  })

  test('they also become a gap at the end of the input', () => {
    const tcp = harness(fromServer(0, 'answer', { acks: 7 })).finish()
    assert.deepEqual([tcp.only.client, tcp.only.server], ['[7]', 'answer'])
  })
})

describe('reassembler: probes', () => {
  test('a keep-alive one byte before the next sequence number adds nothing, with and without data', () => {
    const tcp = harness(fromClient(0, 'abc'), fromServer(0, '', { acks: 3 }), fromClient(2, ''), fromClient(2, '\0'))
    assert.equal(tcp.segment(fromClient(3, 'd')).only.client, 'abcd')
  })

  test('the byte of a zero-window probe that was not accepted is delivered when it is retransmitted', () => {
    const tcp = harness(
      fromClient(0, 'abc'),
      fromServer(0, '', { acks: 3 }),
      fromClient(3, 'd'),
      fromServer(0, '', { acks: 3 }),
    )
    assert.equal(tcp.segment(fromClient(3, 'defg')).only.client, 'abcdefg')
  })
})

describe('reassembler: urgent bytes', () => {
  const urgent = (offset: number, text: string, pointer: number): Segment => ({
    ...fromClient(offset, text, { flags: URG }),
    urgent: pointer,
  })

  test('the byte before the pointer is removed, wherever it is in its segment', () => {
    for (const [pointer, expected] of [
      [0, 'bcdef'],
      [1, 'bcdef'],
      [3, 'abdef'],
      [6, 'abcde'],
    ] as const) {
      assert.equal(harness(urgent(0, 'abcdef', pointer)).only.client, expected, `${pointer}`)
    }
  })

  test('the byte is also removed in a later segment, behind a hole, and in a retransmission', () => {
    assert.equal(harness(urgent(0, 'ab', 4), fromClient(2, 'cd'), fromClient(4, 'ef')).only.client, 'abcef')
    assert.equal(harness(urgent(2, 'cd', 1), fromClient(4, 'ef'), fromClient(0, 'ab')).only.client, 'abdef')
    assert.equal(harness(urgent(0, 'abc', 2), fromClient(0, 'abcd')).only.client, 'acd')
    assert.equal(harness(urgent(0, 'abc', 2), urgent(0, 'abcd', 2)).only.client, 'acd')
  })

  test('pointers to a delivered byte and into a gap remove nothing', () => {
    assert.equal(harness(fromClient(0, 'abc'), urgent(1, 'bcd', 1)).only.client, 'abcd')
    assert.equal(harness(urgent(0, 'ab', 4), fromClient(6, 'gh')).finish().only.client, 'ab[4]gh')
  })

  test('a pointer without the URG flag is ignored', () => {
    assert.equal(harness({ ...fromClient(0, 'abc'), urgent: 2 }).only.client, 'abc')
  })

  test('a second urgent byte is certain only if the peer has sent something in between', () => {
    const answered = harness(urgent(0, 'abc', 2), fromServer(0, 'one', { acks: 3 }), urgent(3, 'def', 2))
    assert.equal(answered.only.client, 'acdf')
    assert.equal(answered.only.ambiguous, false)
    assert.equal(harness(urgent(0, 'abc', 2), urgent(3, 'def', 2)).only.ambiguous, true)
    assert.equal(harness(urgent(0, 'abc', 20), urgent(3, 'def', 2)).only.ambiguous, true)
  })
})

describe('reassembler: properties of any capture', () => {
  const size = 40
  const events = fc.array(
    fc.record({
      client: fc.boolean(),
      at: fc.nat(size - 1),
      length: fc.integer({ min: 0, max: 12 }),
      acks: fc.nat(size),
    }),
    { maxLength: 40, size: 'max' },
  )

  /**
   * The model: a byte's value is that of its first copy; a byte may be missing only if no copy was captured, or if it was
   * acknowledged before its first copy came.
   */
  test('delivers the first copy of every byte, in order, and reports as gaps only what was acknowledged or never captured', () => {
    fc.assert(
      fc.property(events, (list) => {
        const tcp = harness()
        const streams = { client: new Model(size), server: new Model(size) }
        for (const [i, { client, at, length, acks }] of list.entries()) {
          const text = String.fromCharCode(65 + i).repeat(Math.min(length, size - at))
          const [own, other] = client ? [streams.client, streams.server] : [streams.server, streams.client]
          other.acknowledge(acks)
          own.send(at, text)
          tcp.segment((client ? fromClient : fromServer)(at, text, { acks }))
        }
        tcp.finish()
        const delivered = tcp.connections[0] ?? { client: '', server: '' }
        streams.client.check(delivered.client)
        streams.server.check(delivered.server)
        assert.equal(tcp.pool.usedBytes, 0)
      }),
      { numRuns: propertyRuns(5000) },
    )
  })

  test('a stream segmented in any way and reordered within a window is delivered completely', () => {
    const text = letters(300)
    const pieces = fc.record({
      cut: fc.integer({ min: 1, max: 60 }),
      keys: fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 300, maxLength: 300 }),
      twice: fc.array(fc.nat(299), { maxLength: 20 }),
    })
    fc.assert(
      fc.property(pieces, ({ cut, keys, twice }) => {
        const script = new TcpScript({ bareAcks: false, segmentBytes: 300 }).handshake().server(text)
        const segments = cutAll(script.segments, cut, cut)
        const data = segments.slice(3)
        const repeated = [...data, ...twice.map((i) => data[i % data.length])]
        const order = repeated.map((segment, i) => ({ segment, key: i + keys[i % 300] })).sort((a, b) => a.key - b.key)
        const tcp = new TcpHarness().segments([...segments.slice(0, 3), ...order.map(({ segment }) => segment)])
        assert.equal(tcp.only.server, text)
      }),
      { numRuns: propertyRuns(1000) },
    )
  })
})

/** The bytes that a stream may deliver, at each offset. */
class Model {
  readonly #bytes: (string | undefined)[]
  readonly #givenUp: boolean[]
  #reached = 0

  constructor(size: number) {
    this.#bytes = new Array<string | undefined>(size).fill(undefined)
    this.#givenUp = new Array<boolean>(size).fill(false)
  }

  acknowledge(bytes: number): void {
    for (let i = 0; i < bytes; i++) if (this.#bytes[i] === undefined) this.#givenUp[i] = true
  }

  send(at: number, text: string): void {
    for (let i = 0; i < text.length; i++) this.#bytes[at + i] ??= text[i]
    if (text !== '') this.#reached = Math.max(this.#reached, at + text.length)
  }

  check(delivered: string): void {
    let at = 0
    for (const [, gap, byte] of delivered.matchAll(/\[(\d+)\]|(.)/gs)) {
      if (byte !== undefined) assert.equal(byte, this.#bytes[at++], `byte ${at - 1}`)
      for (const end = at + Number(gap ?? 0); at < end; at++) {
        assert.ok(this.#bytes[at] === undefined || this.#givenUp[at], `byte ${at} was there, and is a gap`)
      }
    }
    assert.ok(at >= this.#reached, `only ${at} of ${this.#reached} bytes`)
  }
}

function permutations(items: readonly number[]): number[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]))
}
