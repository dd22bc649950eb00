/** Connections that use the addresses and ports of an earlier one. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { END_SUPERSEDED } from '../../../src/ledger/reasons.ts'
import { CLIENT, SERVER } from '../../support/tcp-frames.ts'
import { type Segment, START_MICROS, SYN, TcpScript } from '../../support/tcp-script.ts'
import { fromClient, fromServer, handshake, syn } from './raw-segments.ts'
import { TcpHarness } from './tcp-harness.ts'

const SECOND = 1_000_000

/** Asserts the flow law at any time. */
function balanced(tcp: TcpHarness): TcpHarness {
  assert.equal(tcp.count('flows.seen'), tcp.count('flows.open') + tcp.count('flows.closed'))
  return tcp
}

describe('tracker: one tuple, several connections', () => {
  const first = (): TcpScript => new TcpScript().handshake().client('first').server('one')
  const second = (micros: number): TcpScript =>
    new TcpScript({ clientIsn: 900_000, serverIsn: 800_000, startMicros: micros })
      .handshake()
      .client('second')
      .server('two')

  function assertTwo(tcp: TcpHarness): void {
    assert.deepEqual(
      tcp.connections.map(({ client, server }) => [client, server]),
      [
        ['first', 'one'],
        ['second', 'two'],
      ],
    )
    balanced(tcp)
  }

  test('a new SYN after the close', () => {
    const one = first().close()
    assertTwo(new TcpHarness().script(one).script(second(one.micros)))
  })

  test('a new SYN supersedes an old connection that still looks open', () => {
    const one = first()
    const tcp = new TcpHarness().script(one).script(second(one.micros))
    assertTwo(tcp)
    assert.equal(tcp.count('flows.closed.superseded'), 1)
    assert.equal(tcp.connections[0].clientEnd, END_SUPERSEDED)
  })

  test('a new SYN after a reset', () => {
    const one = first().reset('client')
    assertTwo(new TcpHarness().script(one).script(second(one.micros)))
  })

  for (const [how, clientIsn, serverIsn] of [
    ['far from', 3_000_000_000, 2_000_000_000],
    ['a little above', 900_000, 800_000],
    ['a little below', 2 ** 32 - 900_000, 2 ** 32 - 800_000],
    ['a little below and far from', 2 ** 32 - 900_000, 2_000_000_000],
    ['far from and a little below', 3_000_000_000, 2 ** 32 - 800_000],
    ['a little above and a little below', 900_000, 2 ** 32 - 800_000],
  ] as const) {
    test(`late segments of the old connection do not belong to the new one, with numbers ${how} its own`, () => {
      for (const old of [first().close(), first().reset('server'), first()]) {
        const next = new TcpScript({ clientIsn, serverIsn, startMicros: old.micros })
        next.handshake().client('second').server('two').close()
        for (const late of old.segments) {
          for (let place = 1; place < next.segments.length - 2; place++) {
            const mixed = next.segments.toSpliced(place, 0, { ...late, micros: old.micros })
            const tcp = new TcpHarness().script(old).segments(mixed)
            assertTwo(tcp)
            assert.equal(tcp.count('bytes.gap'), 0)
          }
        }
      }
    })
  }

  test('retransmissions right after the close do not start a connection', () => {
    const one = first().close()
    const tcp = new TcpHarness().script(one).segments(one.segments.slice(3).map((s) => ({ ...s, micros: one.micros })))
    assert.equal(tcp.count('flows.seen'), 1)
    assert.deepEqual([tcp.only.client, tcp.only.server], ['first', 'one'])
  })

  test('traffic replayed after its close is a new connection', () => {
    const one = first().close()
    const tcp = new TcpHarness().script(one).segments(one.segments)
    assert.equal(tcp.count('flows.seen'), 2)
    assert.deepEqual(
      tcp.connections.map(({ client, server }) => [client, server]),
      [
        ['first', 'one'],
        ['first', 'one'],
      ],
    )
  })

  test('a copy of a short connection that is captured after its close is the same connection', () => {
    for (const one of [first().close(), first().reset('client')]) {
      const length = one.micros - START_MICROS
      for (const delay of [length, length + 4000]) {
        const copy = one.segments.map((segment) => ({ ...segment, micros: segment.micros + delay }))
        const tcp = new TcpHarness().script(one).segments(copy)
        assert.equal(tcp.count('flows.seen'), 1)
        assert.deepEqual([tcp.only.client, tcp.only.server], ['first', 'one'])
      }
      const again = one.segments.map((segment) => ({ ...segment, micros: segment.micros + length + 6000 }))
      assert.equal(new TcpHarness().script(one).segments(again).count('flows.seen'), 2, 'replayed')
    }
  })

  test('traffic replayed without its close supersedes the connection; a repeated SYN does not', () => {
    const one = first()
    const replayed = one.segments.map((segment) => ({ ...segment, micros: segment.micros + SECOND }))
    assert.equal(new TcpHarness().script(one).segments(replayed).count('flows.closed.superseded'), 1)
    assert.equal(new TcpHarness().script(one).segments(one.segments.slice(0, 2)).count('flows.seen'), 1)
  })

  test('a SYN-ACK that acknowledges another SYN belongs to another connection, also before any data', () => {
    const one = new TcpScript().handshake().client('first')
    const two = new TcpScript({ clientIsn: 900_000_000, serverIsn: 3_000_000_000 }).handshake().server('two')
    const [synOfOne, , ...dataOfOne] = one.segments
    const tcp = new TcpHarness().segments([synOfOne, ...two.segments.slice(1), ...dataOfOne])
    for (const { client, server } of tcp.connections)
      assert.ok(client === '' || server === '', `${client} and ${server}`)
    balanced(tcp)
  })

  test('a client that drops a SYN-ACK to another SYN continues its connection', () => {
    const one = new TcpScript().handshake().client('first').server('one')
    const [syn, answer, ...rest] = one.segments
    const [, stray] = new TcpScript({ clientIsn: 900_000_000, serverIsn: 3_000_000_000 }).handshake().segments
    for (const segments of [
      [syn, stray, answer, ...rest],
      [syn, stray, ...rest],
    ]) {
      const tcp = new TcpHarness().segments(segments)
      assert.equal(tcp.count('flows.seen'), 1)
      assert.equal(tcp.count('segments.ignored'), 1)
      assert.deepEqual([tcp.only.client, tcp.only.server], ['first', 'one'])
    }
  })

  test('a client that acknowledges a SYN-ACK to another SYN has sent that SYN', () => {
    const [stale] = new TcpScript().handshake().segments
    const two = new TcpScript({ clientIsn: 900_000_000, serverIsn: 3_000_000_000 })
      .handshake()
      .client('second')
      .server('two')
    const tcp = new TcpHarness().segments([stale, ...two.segments.slice(1)])
    assert.deepEqual([tcp.only.client, tcp.only.server], ['second', 'two'])
  })

  test('a SYN-ACK may acknowledge data in the SYN, and repeats change nothing', () => {
    const [opening, answer, ...rest] = new TcpScript().handshake().client('first').server('one').segments
    const data = Buffer.from('data')
    const more = rest.map((segment) =>
      segment.fromClient ? { ...segment, seq: segment.seq + 4 } : { ...segment, ack: segment.ack + 4 },
    )
    const fast = { ...answer, ack: answer.ack + data.length }
    const tcp = new TcpHarness().segments([{ ...opening, payload: data }, fast, fast, ...more])
    assert.deepEqual([tcp.only.client, tcp.only.server], ['datafirst', 'one'])
  })

  test('a SYN that is repeated long after data does not start a new connection', () => {
    const one = new TcpScript().handshake().client('fir')
    const late = { ...one.segments[0], micros: one.micros + SECOND }
    const rest = [
      fromClient(3, 'st', { micros: late.micros + 1 }),
      fromServer(0, 'one', { acks: 5, micros: late.micros + 2 }),
    ]
    const tcp = balanced(new TcpHarness().script(one).segments([late, ...rest]))
    assert.equal(tcp.count('flows.seen'), 1)
    assert.deepEqual([tcp.only.client, tcp.only.server], ['first', 'one'])
  })

  test('a segment at a distance of exactly 2^31 is ignored', () => {
    const tcp = new TcpHarness().segments([...handshake(), fromClient(2 ** 31, 'far'), fromClient(0, 'near')]).finish()
    assert.equal(tcp.only.client, 'near')
    assert.equal(tcp.count('segments.duplicate'), 1)
  })

  test('a stray SYN that the server answers by continuing changes nothing', () => {
    const one = new TcpScript().handshake().client('first')
    const rest = [
      syn(77_000_000),
      fromServer(0, '', { acks: 5 }),
      fromServer(0, 'one', { acks: 5 }),
      fromClient(5, '!'),
    ]
    const tcp = balanced(new TcpHarness().script(one).segments(rest))
    assert.equal(tcp.count('flows.seen'), 1)
    assert.deepEqual([tcp.only.client, tcp.only.server], ['first!', 'one'])
  })

  test('a new connection whose answer was not captured begins with the client’s first segment', () => {
    const one = first()
    const [asked, , ...rest] = second(one.micros).segments
    assertTwo(new TcpHarness().script(one).segments([asked, ...rest]))
    const data = rest.filter(({ payload }) => payload.length > 0)
    const tcp = new TcpHarness().script(one).segments([asked, ...data])
    assertTwo(tcp)
    assert.equal(tcp.count('flows.midstream'), 0)
  })

  test('a SYN captured before the old connection’s last segments starts the new one', () => {
    const [asked, answered, ...rest] = second(first().close().micros).segments
    const data = rest.filter(({ payload }) => payload.length > 0)
    for (const place of [1, 2, 3]) {
      const one = first().close().segments
      const mixed = [
        ...one.toSpliced(-place, 0, asked),
        data[0],
        answered,
        ...rest.filter((segment) => segment !== data[0]),
      ]
      const tcp = new TcpHarness().segments(mixed)
      assertTwo(tcp)
      assert.equal(tcp.count('flows.midstream'), 0)
    }
  })

  const rival = (): Segment => fromServer(123_456_788, '', { flags: SYN })
  for (const [what, segments] of [
    ['the first', [...handshake().slice(0, 2), rival(), fromClient(0, 'first'), fromServer(0, 'one', { acks: 5 })]],
    ['the second', [handshake()[0], rival(), ...handshake().slice(1), fromClient(0, 'first'), fromServer(0, 'one')]],
    ['one that was not captured', [handshake()[0], rival(), fromClient(0, 'first'), fromServer(0, 'one', { acks: 5 })]],
    [
      'the second, as its bytes show',
      [handshake()[0], rival(), handshake()[1], fromServer(0, 'one'), fromClient(0, 'first')],
    ],
  ] as [string, Segment[]][]) {
    test(`of two SYN-ACKs to one SYN the client accepts ${what}`, () => {
      const tcp = balanced(new TcpHarness().segments(segments))
      assert.equal(tcp.count('flows.seen'), 1)
      assert.deepEqual([tcp.only.client, tcp.only.server], ['first', 'one'])
      assert.equal(tcp.count('gaps'), 0)
    })
  }

  test('data without a SYN starts a connection once the old one is no longer remembered', () => {
    const one = first().close()
    const late = second(one.micros + 31 * SECOND).segments.slice(3)
    const tcp = new TcpHarness().script(one).segments(late)
    assertTwo(tcp)
    assert.equal(tcp.count('flows.midstream'), 1)
  })

  test('equal addresses and ports in two network namespaces are two connections', () => {
    const tcp = new TcpHarness()
    const [one, two] = [first().segments, second(START_MICROS).segments]
    for (const [i, segment] of one.entries()) tcp.segment(segment, {}, 1).segment(two[i], {}, 2)
    assertTwo(tcp)
  })

  test('equal addresses and ports in two virtual networks are two connections', () => {
    const tcp = new TcpHarness()
    const [one, two] = [first().segments, second(START_MICROS).segments]
    for (const [i, segment] of one.entries()) tcp.segment(segment, {}, 0, 1).segment(two[i], {}, 0, 2)
    assertTwo(tcp)
    assert.equal(tcp.count('flows.closed.superseded'), 0)
  })

  test('the same addresses with exchanged ports are another connection', () => {
    const tcp = new TcpHarness()
    tcp.script(first(), { client: { ...CLIENT, port: 1 }, server: { ...SERVER, port: 2 } })
    tcp.script(second(START_MICROS), { client: { ...CLIENT, port: 2 }, server: { ...SERVER, port: 1 } })
    assertTwo(tcp)
  })

  test('both endpoints may have the same address', () => {
    const loop = { address: '127.0.0.1', port: 80 }
    const tcp = new TcpHarness()
    tcp.script(first(), { client: { ...loop, port: 50_000 }, server: loop })
    tcp.script(second(START_MICROS), { client: { ...loop, port: 79 }, server: loop })
    assertTwo(tcp)
  })

  test('IPv6 addresses that differ in one bit of any byte are different connections', () => {
    const tcp = new TcpHarness()
    const base = [0x2001, 0xdb8, 1, 2, 3, 4, 5, 6]
    for (let bit = 0; bit < 128; bit++) {
      const groups = base.map((group, i) => (i === bit >> 4 ? group ^ (1 << (bit & 15)) : group))
      const address = groups.map((group) => group.toString(16)).join(':')
      tcp.script(first(), { client: { address, port: 1 }, server: { address: '2001:db8::1', port: 80 } })
    }
    assert.equal(tcp.count('flows.seen'), 128)
    assert.equal(balanced(tcp).count('flows.open'), 128)
  })
})
