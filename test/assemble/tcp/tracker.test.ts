import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  END_EVICTED,
  END_FIN,
  END_IDLE,
  END_INPUT,
  END_INTERFACE_GONE,
  END_RESET,
} from '../../../src/ledger/reasons.ts'
import { collidingClient } from '../../support/colliding-clients.ts'
import { CLIENT, type Link } from '../../support/tcp-frames.ts'
import { ACK, FIN, RST, type Segment, START_MICROS, SYN, TcpScript } from '../../support/tcp-script.ts'
import { Random } from '../oracle/random.ts'
import { CLIENT_ISN, fromClient, fromServer, handshake, SERVER_ISN, syn } from './raw-segments.ts'
import { deliver, TcpHarness } from './tcp-harness.ts'

const SECOND = 1_000_000
const from = (port: number): Link => ({ client: { ...CLIENT, port } })

/** Asserts the flow law at any time. */
function balanced(tcp: TcpHarness): TcpHarness {
  assert.equal(tcp.count('flows.seen'), tcp.count('flows.open') + tcp.count('flows.closed'))
  return tcp
}

describe('tracker: how connections begin', () => {
  test('with a handshake', () => {
    const tcp = new TcpHarness().script(new TcpScript().handshake().client('a').server('b'))
    assert.deepEqual([tcp.only.client, tcp.only.server], ['a', 'b'])
    assert.equal(tcp.count('flows.midstream'), 0)
  })

  test('with data in the SYN, as TCP Fast Open does', () => {
    const first = { ...syn(CLIENT_ISN), payload: Buffer.from('ab') }
    const tcp = new TcpHarness().segments([first, fromServer(-1, '', { flags: SYN, acks: 2 }), fromClient(2, 'cd')])
    assert.equal(tcp.only.client, 'abcd')
    assert.equal(tcp.count('flows.seen'), 1)
  })

  test('data in a SYN that the server did not accept is taken from its retransmission', () => {
    const first = { ...syn(CLIENT_ISN), payload: Buffer.from('ab') }
    const tcp = new TcpHarness().segments([first, fromServer(-1, '', { flags: SYN, acks: 0 }), fromClient(0, 'abcd')])
    assert.equal(tcp.only.client, 'abcd')
  })

  test('midstream: with the first captured segment', () => {
    const tcp = new TcpHarness().segments([fromServer(100, 'xy'), fromClient(70, 'ab'), fromServer(102, 'z')])
    assert.deepEqual([tcp.only.client, tcp.only.server], ['ab', 'xyz'])
    assert.equal(tcp.count('flows.midstream'), 1)
  })

  test('bare acknowledgements of an unknown connection start none', () => {
    const tcp = new TcpHarness().segments([fromClient(5, ''), fromServer(5, ''), fromClient(5, '', { flags: FIN })])
    assert.equal(tcp.count('flows.seen'), 0)
    assert.equal(tcp.count('segments.ignored'), 3)
  })

  test('a reset of an unknown connection starts none', () => {
    assert.equal(new TcpHarness().segment(fromServer(0, '', { flags: RST })).count('flows.seen'), 0)
  })

  test('repeated SYNs and a repeated SYN-ACK are one connection', () => {
    const [first, second, third] = handshake()
    const tcp = new TcpHarness().segments([first, first, second, first, second, third, fromClient(0, 'ab')])
    assert.equal(tcp.count('flows.seen'), 1)
    assert.equal(tcp.only.client, 'ab')
  })

  test('a SYN captured after the first data belongs to the same connection', () => {
    const [first, second, third] = handshake()
    const tcp = new TcpHarness().segments([second, third, fromClient(0, 'ab'), first, fromClient(2, 'cd')])
    assert.equal(tcp.count('flows.seen'), 1)
    assert.equal(tcp.only.client, 'abcd')
  })

  test('both SYNs of a simultaneous open are one connection', () => {
    const tcp = new TcpHarness().segments([
      syn(CLIENT_ISN),
      { ...syn(SERVER_ISN), fromClient: false },
      fromClient(-1, '', { flags: SYN }),
      fromServer(-1, '', { flags: SYN }),
      fromClient(0, 'ab'),
      fromServer(0, 'cd'),
    ])
    assert.equal(tcp.count('flows.seen'), 1)
    assert.deepEqual([tcp.only.client, tcp.only.server], ['ab', 'cd'])
  })

  test('TCP headers that are too short or too long for their packet are ignored', () => {
    const tcp = new TcpHarness().segments(handshake())
    const segment = fromClient(0, '')
    tcp.segment({ ...segment, flags: segment.flags }).segment(fromClient(0, 'ab'))
    assert.equal(tcp.only.client, 'ab')
  })
})

describe('tracker: how connections end', () => {
  test('FINs in both directions, whichever is first', () => {
    for (const sides of [['client', 'server'] as const, ['server', 'client'] as const]) {
      const script = new TcpScript().handshake().client('a').server('b').fin(sides[0]).fin(sides[1]).ack(sides[0])
      const tcp = balanced(new TcpHarness().script(script))
      assert.equal(tcp.count('flows.closed.fin'), 1)
      assert.deepEqual([tcp.only.clientEnd, tcp.only.serverEnd], [END_FIN, END_FIN])
      assert.equal(tcp.only.released, true)
    }
  })

  test('a simultaneous close', () => {
    const script = new TcpScript().handshake().client('a')
    const both = [
      fromClient(1, '', { flags: FIN, acks: 0 }),
      fromServer(0, '', { flags: FIN, acks: 1 }),
      fromClient(2, '', { acks: 1 }),
      fromServer(1, '', { acks: 2 }),
    ]
    const tcp = new TcpHarness().segments([...script.segments, ...both])
    assert.equal(tcp.count('flows.closed.fin'), 1)
    assert.equal(tcp.count('flows.seen'), 1)
  })

  test('a half-close, after which the other side can still send', () => {
    const script = new TcpScript().handshake().client('question').fin('client').ack('server').server('a long answer')
    const tcp = new TcpHarness().script(script)
    assert.equal(tcp.only.clientEnd, END_FIN)
    assert.equal(tcp.only.server, 'a long answer')
    assert.equal(tcp.count('flows.open'), 1)
    tcp.segments(script.fin('server').segments.slice(-1))
    assert.equal(tcp.count('flows.closed.fin'), 1)
  })

  test('a reset ends both streams', () => {
    const tcp = new TcpHarness().script(new TcpScript().handshake().client('a').reset('server'))
    assert.deepEqual([tcp.only.clientEnd, tcp.only.serverEnd], [END_RESET, END_RESET])
    assert.equal(balanced(tcp).count('flows.closed.reset'), 1)
  })

  test('a reset far outside the window does not', () => {
    const tcp = new TcpHarness().segments([
      ...handshake(),
      fromClient(0, 'a'),
      fromServer(100_000_000, '', { flags: RST }),
    ])
    assert.equal(tcp.count('flows.open'), 1)
    assert.equal(tcp.segment(fromClient(1, 'b')).only.client, 'ab')
  })

  test('a reset first delivers the bytes held behind a hole', () => {
    const tcp = new TcpHarness().segments([
      ...handshake(),
      fromClient(2, 'cd'),
      fromServer(0, '', { flags: RST, acks: 0 }),
    ])
    assert.equal(tcp.only.client, '[2]cd')
    assert.equal(tcp.pool.usedBytes, 0)
  })

  test('ten minutes without a segment', () => {
    const tcp = new TcpHarness().script(new TcpScript().handshake().client('a'))
    for (let second = 0; second <= 600; second += 5) tcp.tick(START_MICROS + second * SECOND)
    assert.equal(tcp.count('flows.open'), 1)
    tcp.tick(START_MICROS + 601 * SECOND)
    assert.equal(balanced(tcp).count('flows.closed.idle'), 1)
    assert.equal(tcp.only.clientEnd, END_IDLE)
  })

  test('the removal of its own interface, and of no other', () => {
    const tcp = new TcpHarness()
    tcp.script(new TcpScript().handshake().client('a'), { ...from(1), interfaceId: 0 })
    tcp.script(new TcpScript().handshake().client('b'), { ...from(2), interfaceId: 1 })
    tcp.endInterface(1)
    assert.equal(balanced(tcp).count('flows.closed.interfaceGone'), 1)
    assert.deepEqual(
      tcp.connections.map(({ client, clientEnd }) => [client, clientEnd]),
      [
        ['a', -1],
        ['b', END_INTERFACE_GONE],
      ],
    )
  })

  test('the input ends', () => {
    const tcp = balanced(new TcpHarness().script(new TcpScript().handshake().client('a')).finish())
    assert.deepEqual([tcp.only.clientEnd, tcp.only.serverEnd], [END_INPUT, END_INPUT])
    assert.equal(tcp.count('flows.open'), 0)
  })
})

describe('tracker: bounds', () => {
  test('at the limit, the flow that has been idle longest is evicted', () => {
    const tcp = new TcpHarness({ flows: 3 })
    for (const port of [1, 2, 3]) {
      tcp.script(
        new TcpScript({ startMicros: START_MICROS + port * 2 * SECOND }).handshake().client(`${port}`),
        from(port),
      )
    }
    const again = new TcpScript({ startMicros: START_MICROS + 9 * SECOND }).handshake().client('1').client('+')
    tcp.segments(again.segments.slice(-2), from(1))
    tcp.script(new TcpScript({ startMicros: START_MICROS + 10 * SECOND }).handshake().client('4'), from(4))
    assert.equal(balanced(tcp).count('flows.closed.evicted'), 1)
    assert.deepEqual(
      tcp.connections.map(({ clientEnd }) => clientEnd),
      [-1, END_EVICTED, -1, -1],
    )
  })

  test('closed flows are evicted before open ones', () => {
    const tcp = new TcpHarness({ flows: 2 })
    tcp.script(new TcpScript().handshake().client('a'), from(1))
    tcp.script(new TcpScript().handshake().client('b').close(), from(2))
    tcp.script(new TcpScript().handshake().client('c'), from(3))
    assert.equal(balanced(tcp).count('flows.closed.evicted'), 0)
    assert.equal(tcp.count('flows.open'), 2)
  })

  test('65,000 SYNs of peers with one steering hash cost what others do: nobody can choose a bucket', () => {
    const SYNS = 65_000
    const visitsOf = (addressOf: (port: number) => number[]): number => {
      const tcp = new TcpHarness({ flows: SYNS })
      for (let port = 1; port <= SYNS; port++) {
        tcp.segment(syn(port), { client: { address: addressOf(port).join('.'), port } })
      }
      assert.equal(tcp.flows.size, SYNS)
      return tcp.flows.visits
    }
    // Not consecutive addresses, which are spread more evenly than by chance.
    const random = new Random(SYNS)
    const plain = visitsOf(() => Array.from({ length: 4 }, () => random.below(256)))
    const chosen = visitsOf(collidingClient)
    assert.ok(plain > 0 && chosen < plain * 1.1, `${chosen} flows compared, ${plain} for others`)
  })

  test('thousands of consecutive connections stay within the limit', () => {
    const tcp = new TcpHarness({ flows: 100 })
    for (let i = 0; i < 3000; i++) {
      const script = new TcpScript({ startMicros: START_MICROS + i * 1000 }).handshake().client(`${i}`)
      tcp.script(i % 3 === 0 ? script : script.close(), from(1 + i))
    }
    assert.equal(tcp.flows.size, 100)
    balanced(tcp.finish())
    assert.equal(tcp.connections.length, 3000)
    assert.ok(tcp.connections.every(({ client }, i) => client === `${i}`))
  })
})

describe('tracker: packet time', () => {
  const YEAR = 365 * 24 * 3600 * SECOND

  test('one frame far in the future expires nothing', () => {
    const tcp = new TcpHarness().script(new TcpScript().handshake().client('a'), from(1))
    tcp.script(new TcpScript().handshake().client('b'), from(2))
    const [stray] = new TcpScript({ startMicros: START_MICROS + YEAR }).handshake().segments
    tcp.segment(stray, from(3)).tick(START_MICROS + SECOND)
    assert.equal(tcp.count('flows.closed'), 0)
    assert.equal(tcp.count('flows.open'), 3)
  })

  test('one frame of year 1970 expires nothing', () => {
    const tcp = new TcpHarness().script(new TcpScript().handshake().client('a'), from(1))
    tcp.script(new TcpScript({ startMicros: 0 }).handshake().client('b'), from(2)).tick(START_MICROS + SECOND)
    assert.equal(tcp.count('flows.closed'), 0)
  })

  test('one segment of year 1970 does not close its own connection', () => {
    const [segment] = new TcpScript().handshake().segments
    const tcp = new TcpHarness().script(new TcpScript().handshake().client('a'))
    tcp.segment({ ...fromClient(1, 'b'), micros: 0 }).segment({ ...fromClient(2, 'c'), micros: segment.micros + 1000 })
    assert.equal(tcp.only.client, 'abc')
    assert.equal(tcp.count('flows.closed'), 0)
  })

  test('one segment of the future does not expire a hole of its own connection', () => {
    const tcp = new TcpHarness().segments([...handshake(), fromServer(2, 'cd')])
    tcp.segment({ ...fromServer(4, 'ef'), micros: START_MICROS + YEAR }).segment(fromServer(0, 'ab'))
    assert.equal(tcp.only.server, 'abcdef')
  })

  test('connections that start right after a long silence are not idle', () => {
    const tcp = new TcpHarness().script(new TcpScript().handshake().client('a'), from(1))
    tcp.script(
      new TcpScript({ startMicros: START_MICROS + 3600 * SECOND }).handshake().client('b').server('c'),
      from(2),
    )
    assert.equal(tcp.count('flows.closed.idle'), 1)
    assert.deepEqual(
      tcp.connections.map(({ server }) => server),
      ['', 'c'],
    )
  })

  test('connections of a following file from an earlier time neither close at once nor stay open for ever', () => {
    const tcp = new TcpHarness().script(new TcpScript().handshake().client('a'), from(1))
    const earlier = START_MICROS - YEAR
    tcp.script(new TcpScript({ startMicros: earlier }).handshake().client('b').server('c'), from(2))
    assert.equal(tcp.connections[1]?.server, 'c')
    assert.equal(tcp.count('flows.closed'), 0)
    for (let second = 0; second <= 620; second += 5) tcp.tick(earlier + second * SECOND)
    assert.equal(tcp.count('flows.closed.idle'), 2)
  })

  test('a jump that following frames confirm closes idle connections', () => {
    const tcp = new TcpHarness().script(new TcpScript().handshake().client('a'), from(1))
    tcp.script(new TcpScript({ startMicros: START_MICROS + YEAR }).handshake().client('b'), from(2))
    assert.equal(tcp.count('flows.closed.idle'), 1)
  })

  test('a flow with one stray time in the future does not keep others from closing', () => {
    const tcp = new TcpHarness()
    tcp.script(new TcpScript().handshake().client('a'), from(1))
    const script = new TcpScript().handshake().client('b')
    tcp
      .segments(script.segments, from(2))
      .segments([{ ...script.stray('client', {}).segments.at(-1)!, micros: START_MICROS + YEAR }], from(2))
    tcp.script(new TcpScript().handshake().client('c'), from(3))
    for (let second = 0; second <= 1300; second += 5) tcp.tick(START_MICROS + second * SECOND)
    assert.equal(tcp.count('flows.closed.idle'), 3)
  })
})

test('tracker: uses ACK flags only for acknowledgements', () => {
  const { segments } = new TcpScript().handshake().client('a').server('b')
  const delivered = deliver(segments.map((s) => (s.flags & SYN ? s : { ...s, flags: s.flags & ~ACK })))
  assert.deepEqual([delivered.client, delivered.server], ['a', 'b'])
})

describe('tracker: one connection captured in several virtual networks', () => {
  const conversation = (): TcpScript => new TcpScript().handshake().client('ask').server('tell').client('more').close()

  /** Each segment in every network, one after the other. */
  function everywhere(tcp: TcpHarness, segments: readonly Segment[], networks: readonly number[]): TcpHarness {
    for (const segment of segments) for (const network of networks) tcp.segment(segment, {}, 0, network)
    return tcp
  }

  for (const networks of [
    [7, 0],
    [0, 7],
    [0, 7, 8, 9],
  ]) {
    test(`delivers each segment in ${networks.length} networks, ${networks[0]} first, once`, () => {
      const tcp = balanced(everywhere(new TcpHarness(), conversation().segments, networks))
      assert.deepEqual([tcp.only.client, tcp.only.server], ['askmore', 'tell'])
      assert.equal(tcp.count('flows.closed.fin'), 1)
    })
  }

  test('delivers each segment once without a handshake too', () => {
    const tcp = everywhere(new TcpHarness(), conversation().segments.slice(3), [0, 7])
    assert.equal(tcp.count('flows.seen'), 1)
    assert.deepEqual([tcp.only.client, tcp.only.server], ['askmore', 'tell'])
  })

  test('joins directions that are in different networks', () => {
    const tcp = new TcpHarness()
    for (const segment of conversation().segments) tcp.segment(segment, {}, 0, segment.fromClient ? 10 : 20)
    assert.equal(tcp.count('flows.seen'), 1)
    assert.deepEqual([tcp.only.client, tcp.only.server], ['askmore', 'tell'])
  })

  test('the next connection on the same tuple belongs only to its own network', () => {
    const tcp = everywhere(new TcpHarness(), conversation().segments, [0, 7])
    const later = { startMicros: START_MICROS + SECOND }
    const one = new TcpScript({ ...later, clientIsn: 70_000, serverIsn: 80_000 }).handshake().client('one').segments
    const two = new TcpScript({ ...later, clientIsn: 9e8, serverIsn: 8e8 }).handshake().client('two').segments
    for (const [i, segment] of one.entries()) tcp.segment(segment, {}, 0, 0).segment(two[i], {}, 0, 7)
    assert.deepEqual(
      tcp.connections.map(({ client }) => client),
      ['askmore', 'one', 'two'],
    )
  })

  test('beyond the limit of networks, the connection that has been idle longest is evicted', () => {
    const tcp = new TcpHarness()
    for (let network = 1; network <= 40; network++) {
      const options = { clientIsn: network * 1e7, serverIsn: network * 2e7, startMicros: START_MICROS + network * 1000 }
      tcp.segments(new TcpScript(options).handshake().client(`${network}`).segments, {}, 0, network)
    }
    balanced(tcp)
    assert.equal(tcp.count('flows.seen'), 40)
    assert.equal(tcp.count('flows.open'), 16)
    assert.equal(tcp.count('flows.closed.evicted'), 24)
    assert.deepEqual([tcp.connections[23].clientEnd, tcp.connections[24].clientEnd], [END_EVICTED, -1])
  })
})
