/**
 * Resets are treated as their receivers treat them (RFC 5961 §3, RFC 9293 §3.10.7); segments after the end of a
 * connection.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { count } from '../../../src/ledger/ledger.ts'
import { END_FIN, END_RESET } from '../../../src/ledger/reasons.ts'
import { AssembleHarness, assemble, summary } from '../../support/assemble-harness.ts'
import { numbered, request, wrongPairs } from '../../support/http-script.ts'
import { FIN, RST, type Segment, type Side, START_MICROS, TcpScript } from '../../support/tcp-script.ts'
import { CLIENT_ISN, fromClient, fromServer, handshake, syn } from './raw-segments.ts'
import { TcpHarness } from './tcp-harness.ts'

const SECOND = 1_000_000
/** TCP-MD5 (RFC 2385) and TCP-AO (RFC 5925), with a zero signature. */
const MD5 = Uint8Array.of(1, 1, 19, 18, ...new Uint8Array(16))
const AO = Uint8Array.of(29, 16, ...new Uint8Array(14))
const TIMESTAMPS = Uint8Array.of(1, 1, 8, 10, ...new Uint8Array(8))

const harness = (...segments: Segment[]): TcpHarness => new TcpHarness().segments([...handshake(), ...segments])
const rst = (segment: Segment): Segment => ({ ...segment, flags: RST })

describe('reset: is obeyed', () => {
  /** The reassembler first waits for bytes that were not captured before the RST. */
  const later = (tcp: TcpHarness): TcpHarness => tcp.tick(START_MICROS + SECOND)
  const obeyed = (tcp: TcpHarness): void => {
    assert.equal(tcp.count('flows.closed.reset'), 1)
    assert.equal(tcp.count('segments.inexactReset'), 0)
  }

  test('at the next sequence number, with and without ACK, whatever the acknowledgement number', () => {
    obeyed(harness(fromClient(0, 'abc'), rst(fromClient(3, ''))))
    obeyed(harness(fromClient(0, 'abc'), fromClient(3, '', { flags: RST, acks: 0 })))
    obeyed(later(harness(fromClient(0, 'abc'), fromClient(3, '', { flags: RST, acks: 77_000 }))))
    obeyed(harness(fromClient(0, 'abc'), rst(fromServer(0, ''))))
  })

  test('at the number that the receiver has acknowledged, if bytes before it were not captured', () => {
    obeyed(later(harness(fromClient(0, 'abc'), fromServer(0, '', { acks: 9 }), rst(fromClient(9, '')))))
  })

  test('at the number after the last segment behind a hole', () => {
    obeyed(later(harness(fromClient(0, 'ab'), fromClient(4, 'ef'), fromClient(8, 'ij'), rst(fromClient(10, '')))))
  })

  test('at the number of the sender’s FIN, and at the one after it', () => {
    for (const offset of [2, 3]) obeyed(harness(fromClient(0, 'ab', { flags: FIN }), rst(fromClient(offset, ''))))
    obeyed(later(harness(fromClient(4, '', { flags: FIN }), rst(fromClient(5, '')))))
  })

  test('in response to a SYN at any number, if it acknowledges the SYN', () => {
    const answer = { ...fromServer(0, '', { flags: RST }), seq: 0 }
    obeyed(new TcpHarness().segments([syn(CLIENT_ISN), answer]))
    const stray = { ...answer, ack: CLIENT_ISN }
    const tcp = new TcpHarness().segments([syn(CLIENT_ISN), stray, { ...answer, flags: RST }])
    assert.equal(tcp.count('flows.closed'), 0)
    assert.equal(tcp.count('segments.inexactReset'), 2)
  })

  test('on a midstream connection at the next number, and at the acknowledged one', () => {
    obeyed(new TcpHarness().segments([fromClient(70, 'abc'), rst(fromClient(73, ''))]))
    obeyed(new TcpHarness().segments([fromClient(70, 'abc', { acks: 500 }), rst(fromServer(500, ''))]))
  })

  test('at numbers across the wrap', () => {
    for (let before = 0; before <= 6; before++) {
      const script = new TcpScript({ clientIsn: 2 ** 32 - before }).handshake().client('abcd')
      assert.equal(new TcpHarness().script(script.reset('client')).count('flows.closed.reset'), 1, `${before}`)
    }
  })
})

describe('reset: is ignored', () => {
  for (const off of [1, 2, 100, 1460, 65_535, 100_000, 5_000_000, 2 ** 31, -1, -2, -100_000]) {
    test(`at a number that is off by ${off}: the connection continues`, () => {
      const tcp = harness(
        fromClient(0, 'a'),
        rst(fromClient(1 + off, '')),
        fromClient(1, 'b'),
        fromServer(0, 'c', { acks: 2 }),
      )
      assert.deepEqual([tcp.only.client, tcp.only.server], ['ab', 'c'])
      assert.equal(tcp.count('segments.inexactReset'), 1)
      assert.equal(tcp.count('flows.open'), 1)
      assert.equal(tcp.finish().count('flows.closed.reset'), off > 0 && off < 5_000_000 ? 1 : 0)
    })
  }

  test('if its sender continues 5 ms later, although it has not reached that number', () => {
    const micros = START_MICROS + SECOND
    const tcp = harness({ ...rst(fromClient(100, '')), micros }, fromClient(0, 'a', { micros: micros + 6000 }))
    assert.equal(tcp.finish().count('flows.closed.ended'), 1)
  })

  test('bytes that were sent before the RST and captured after it do not revoke it', () => {
    const tcp = harness(rst(fromClient(4, '')), fromClient(0, 'abcd'))
    assert.equal(tcp.only.client, 'abcd')
    assert.equal(tcp.finish().count('flows.closed.reset'), 1)
    assert.equal(tcp.only.clientEnd, END_RESET)
  })

  test('a new SYN after an inexact RST ends the old connection as reset', () => {
    const tcp = harness(fromClient(0, 'a'), rst(fromClient(5, '')), syn(700_000))
    assert.equal(tcp.count('flows.closed.reset'), 1)
    assert.equal(tcp.count('flows.open'), 1)
  })

  for (const [name, options] of [
    ['TCP-MD5', MD5],
    ['TCP-AO', AO],
  ] as const) {
    test(`if any segment has ${name} that was not negotiated`, () => {
      const [asked, answered, acked] = handshake()
      const plain = [asked, answered, acked].map((segment) => ({ ...segment, options: TIMESTAMPS }) as Segment)
      const tcp = new TcpHarness().segments([
        ...plain,
        fromClient(0, 'a'),
        { ...rst(fromClient(1, '')), options },
        { ...fromClient(1, 'x'), options },
        fromClient(1, 'b'),
      ])
      assert.equal(tcp.only.client, 'ab')
      assert.equal(tcp.count('segments.signature'), 2)
      assert.equal(tcp.count('flows.open'), 1)
    })

    test(`without ${name} if both endpoints agreed on it`, () => {
      const signed = [...handshake(), fromClient(0, 'a')].map((segment) => ({ ...segment, options }))
      const tcp = new TcpHarness().segments([...signed, rst(fromClient(1, '')), { ...fromClient(1, 'b'), options }])
      assert.equal(tcp.only.client, 'ab')
      assert.equal(tcp.count('segments.signature'), 1)
    })

    test(`with ${name} on a midstream connection that does not use it`, () => {
      const tcp = new TcpHarness().segments([fromClient(70, 'a'), { ...rst(fromClient(71, '')), options }])
      assert.equal(tcp.count('flows.closed'), 0)
    })
  }

  test('a signed SYN that the server answers without a signature does not require signatures', () => {
    const [asked, answered, acked] = handshake()
    const tcp = new TcpHarness().segments([{ ...asked, options: MD5 } as Segment, answered, acked, fromClient(0, 'a')])
    assert.equal(tcp.only.client, 'a')
  })

  test('also on a connection that is not HTTP', () => {
    const hello = '\x16\x03\x01\0\x05hello'
    const script = new TcpScript().handshake().client(hello)
    const assembler = new AssembleHarness().script(script)
    const next = script.next('client')
    script.segments.splice(0)
    for (const off of [1, 1000, -1]) script.stray('client', { flags: RST, seq: (next + off) >>> 0 })
    assembler.script(script)
    assert.equal(assembler.count('flows.closed'), 0)
    assembler.segments(script.reset('client').segments.slice(-1))
    assert.equal(assembler.count('flows.closed.reset'), 1)
    assert.equal(assembler.count('segments.inexactReset'), 3)
    assembler.finish()
  })
})

describe('reset: exchanges', () => {
  for (const off of [1, 17, 29, 100_000]) {
    test(`after a RST that is off by ${off} are paired`, () => {
      const script = new TcpScript().handshake().client(request('/a')).server(numbered(0))
      script.stray('client', { flags: RST, seq: (script.next('client') + off) >>> 0 })
      for (const n of [1, 2, 3]) script.client(request(`/b${n}`)).server(numbered(n))
      const { pairs, ledger } = assemble(script.close())
      assert.deepEqual(summary(pairs), ['GET /a 200', 'GET /b1 200', 'GET /b2 200', 'GET /b3 200'])
      assert.deepEqual((ledger.flows as { closed: object }).closed, {
        ...(ledger.flows as { closed: object }).closed,
        fin: 1,
        reset: 0,
      })
    })
  }

  for (const end of ['client', 'server'] as const) {
    test(`whose segments are captured again after the ${end}’s RST are paired once`, () => {
      const whole = new TcpScript().handshake().client(request('/a')).server(numbered(0)).reset(end).segments
      // Not the client's SYN: nobody repeats it once both ends have closed, so it starts another connection.
      const late = whole.slice(1).map((segment) => ({ ...segment, micros: whole.at(-1)!.micros + 1 }))
      for (let from = 0; from < late.length; from++) {
        for (const again of [late.slice(from), late.slice(from).reverse(), [late[0], ...late.slice(from)]]) {
          const assembler = new AssembleHarness().segments([...whole, ...again])
          const { pairs, ledger } = assembler.finish()
          assert.deepEqual(summary(pairs), ['GET /a 200'])
          assert.equal(count(ledger, 'flows.seen'), 1)
        }
      }
    })
  }

  test('of a sender that continues after an exact RST belong to a new midstream connection', () => {
    const script = new TcpScript().handshake().client(request('/a')).server(numbered(0)).reset('client')
    for (const n of [1, 2]) script.client(request(`/b${n}`)).server(numbered(n))
    const { pairs, ledger } = assemble(script)
    assert.deepEqual(summary(pairs), ['GET /a 200', 'GET /b1 200', 'GET /b2 200'])
    assert.deepEqual(
      pairs.map(({ flags }) => flags),
      [[], ['midstream'], ['midstream']],
    )
    assert.equal((ledger.flows as { seen: number }).seen, 2)
  })
})

describe('reset: an exact RST whose receiver ignores it', () => {
  const between = (script: TcpScript, sides: readonly Side[]): TcpScript => {
    for (const side of sides) script.stray(side, { flags: RST, seq: script.next(side) })
    return script
  }
  const begun = (): TcpScript => new TcpScript().handshake().client(request('/0')).server(numbered(0))

  for (const sides of [['client'], ['server'], ['server', 'client'], ['client', 'server']] as const) {
    test(`from ${sides.join(' and ')}: later exchanges belong to a new midstream connection`, () => {
      const script = between(begun(), sides)
      for (const n of [1, 2]) script.client(request(`/${n}`)).server(numbered(n))
      const { pairs, ledger } = assemble(script.close())
      assert.deepEqual(wrongPairs(pairs), [])
      assert.deepEqual(
        pairs.map(({ request: { target }, flags }) => [target, ...flags]),
        [['/0'], ['/1', 'midstream'], ['/2', 'midstream']],
      )
      assert.equal(count(ledger, 'flows.seen'), 2)
      assert.equal(count(ledger, 'responses.orphaned'), 0)
    })
  }

  test('the first request after it may be segmented anywhere except after its first byte', () => {
    const [first, second] = [request('/1'), request('/2')]
    for (let cut = 1; cut < first.length; cut++) {
      const script = between(begun(), ['server'])
        .client(first.slice(0, cut))
        .client(first.slice(cut))
        .server(numbered(1))
      const { pairs } = assemble(script.client(second).server(numbered(2)).close())
      // The sequence number of a single byte may belong to a FIN.
      const expected = cut === 1 ? ['GET /0 200', 'GET /2 200'] : ['GET /0 200', 'GET /1 200', 'GET /2 200']
      assert.deepEqual(summary(pairs), expected, `cut at ${cut}`)
    }
  })

  test('from the server, between a request and its response: both count as reset', () => {
    const script = between(begun().client(request('/1')), ['server']).server(numbered(1))
    for (const n of [2, 3]) script.client(request(`/${n}`)).server(numbered(n))
    const { pairs, ledger } = assemble(script.close())
    assert.deepEqual(summary(pairs), ['GET /0 200', 'GET /2 200', 'GET /3 200'])
    assert.equal(count(ledger, 'requests.abandoned.reset'), 1)
    assert.equal(count(ledger, 'responses.orphaned.reset'), 1)
    assert.equal(count(ledger, 'responses.orphaned.noRequest'), 0)
  })

  test('a request in flight at the server’s reset is abandoned at the RST that answers it', () => {
    const script = between(begun(), ['server']).client(request('/1')).reset('server')
    const { pairs, ledger } = assemble(script)
    assert.deepEqual(summary(pairs), ['GET /0 200'])
    assert.equal(count(ledger, 'requests.abandoned.reset'), 1)
    assert.equal(count(ledger, 'flows.closed.reset'), 2)
  })

  test('a body in flight does not start a connection', () => {
    const script = begun().client(`POST /1 HTTP/1.1\r\nContent-Length: 9000\r\n\r\n`)
    const { ledger } = assemble(between(script, ['server']).client('x'.repeat(9000)))
    assert.equal(count(ledger, 'flows.seen'), 1)
    assert.equal(count(ledger, 'requests.abandoned.reset'), 1)
  })
})

describe('tracker: segments after the end of a connection', () => {
  const closed = (): Segment[] => new TcpScript().handshake().client('first').server('one').close().segments

  test('late copies are counted, and do not start a connection', () => {
    const tcp = new TcpHarness().segments(closed()).segments(closed().slice(2))
    assert.equal(tcp.count('flows.seen'), 1)
    assert.equal(tcp.count('segments.afterEnd'), 1 + closed().length - 2)
    assert.equal(tcp.count('segments.ignored'), 0)
  })

  test('bytes beyond both FINs start a new connection at once', () => {
    const tcp = new TcpHarness().segments([...closed(), fromClient(6, 'second')])
    assert.deepEqual(
      tcp.connections.map(({ client }) => client),
      ['first', 'second'],
    )
    assert.equal(tcp.count('flows.midstream'), 1)
  })

  test('a keep-alive probe after the close does not start a connection', () => {
    const tcp = new TcpHarness().segments([...closed(), fromClient(5, '\0')])
    assert.equal(tcp.count('flows.seen'), 1)
  })

  test('bytes of the peer after a reset were in flight; bytes of the sender start a new connection', () => {
    const tcp = harness(fromClient(0, 'ab'), fromServer(0, 'one'), rst(fromClient(2, '')), fromServer(3, 'two'))
    assert.equal(tcp.count('flows.seen'), 1)
    assert.equal(tcp.count('segments.afterEnd'), 1)
    tcp.segments([fromClient(2, 'cd'), fromServer(6, '!', { acks: 4 })])
    assert.equal(tcp.count('flows.seen'), 2)
    assert.deepEqual([tcp.connections[1]?.client, tcp.connections[1]?.server], ['cd', '!'])
  })

  test('bytes after the idle timeout start a new connection', () => {
    const tcp = harness(fromClient(0, 'ab'))
    for (let second = 0; second <= 610; second += 5) tcp.tick(START_MICROS + second * SECOND)
    tcp.segment(fromServer(0, 'one', { micros: START_MICROS + 611 * SECOND, acks: 2 }))
    assert.equal(tcp.count('flows.closed.idle'), 1)
    assert.equal(tcp.connections[1]?.server, 'one')
  })
})

describe('tracker: last bytes lost at the end of the input', () => {
  test('acknowledged bytes become a gap', () => {
    const tcp = harness(
      fromClient(0, 'ab', { acks: 0 }),
      fromServer(0, '', { acks: 2 }),
      fromClient(2, '', { acks: 40 }),
    )
    assert.equal(tcp.finish().only.server, '[40]')
  })

  test('bytes proved by the sender’s own sequence numbers become a gap', () => {
    const tcp = harness(fromClient(0, 'ab'), fromServer(40, '', { acks: 2 }))
    assert.equal(tcp.finish().only.server, '[40]')
  })

  test('a FIN behind bytes that were not captured ends the stream behind a gap', () => {
    const tcp = harness(fromClient(0, 'ab'), fromServer(40, '', { acks: 2, flags: FIN }))
    assert.equal(tcp.finish().only.server, '[40]')
    assert.equal(tcp.only.serverEnd, END_FIN)
  })

  test('one more acknowledged number may be a FIN, and is no gap', () => {
    const tcp = harness(fromClient(0, 'ab'), fromServer(0, 'one', { acks: 2 }), fromClient(2, '', { acks: 4 }))
    assert.equal(tcp.finish().only.server, 'one')
  })
})

describe('tracker: connections captured in one direction', () => {
  const script = (): TcpScript => new TcpScript().handshake().client(request('/0')).server(numbered(0)).close()

  for (const fromClientSide of [false, true]) {
    test(`of the ${fromClientSide ? 'client' : 'server'} are counted when they end`, () => {
      const segments = script().segments.filter((segment) => segment.fromClient === fromClientSide)
      const { ledger } = assemble(segments)
      assert.equal((ledger.flows as { oneDirection: number }).oneDirection, 1)
      const midstream = segments.filter(({ payload }) => payload.length > 0)
      assert.equal((assemble(midstream).ledger.flows as { oneDirection: number }).oneDirection, 1)
    })
  }

  test('are not counted if both directions were captured, or nothing was sent', () => {
    assert.equal((assemble(script()).ledger.flows as { oneDirection: number }).oneDirection, 0)
    const asked = [syn(CLIENT_ISN), syn(CLIENT_ISN, START_MICROS + SECOND)]
    assert.equal(new TcpHarness().segments(asked).finish().count('flows.oneDirection'), 0)
  })
})
