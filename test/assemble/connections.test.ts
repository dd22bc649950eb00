/** Detection of a connection's protocol and client, on several connections at a time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { count } from '../../src/ledger/ledger.ts'
import { AssembleHarness, assemble, summary } from '../support/assemble-harness.ts'
import { numbered, request, wrongPairs } from '../support/http-script.ts'
import { propertyRuns } from '../support/property-runs.ts'
import { CLIENT, encodeFrames, SERVER } from '../support/tcp-frames.ts'
import { ACK, type Segment, START_MICROS, SYN, TcpScript } from '../support/tcp-script.ts'

/** The client's first bytes of each protocol. */
const FIRST = {
  http1: request('/0'),
  tls: Buffer.from([0x16, 3, 1, 0, 4, 1, 0, 0, 0]),
  http2: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  other: 'SSH-2.0-OpenSSH_9.6\r\n',
} as const
type Protocol = keyof typeof FIRST
const PROTOCOLS = Object.keys(FIRST) as Protocol[]

interface Spoken {
  protocol: Protocol
  /** The capture begins within the connection. */
  isMidstream: boolean
  exchanges: number
}

const spoken: fc.Arbitrary<Spoken> = fc.record({
  protocol: fc.constantFrom<Protocol>('http1', 'http1', 'tls', 'http2', 'other'),
  isMidstream: fc.boolean(),
  exchanges: fc.integer({ min: 1, max: 4 }),
})

function scriptOf({ protocol, isMidstream, exchanges }: Spoken): TcpScript {
  const script = isMidstream ? new TcpScript().midstream() : new TcpScript().handshake()
  if (protocol !== 'http1') return script.client(FIRST[protocol]).server('an answer of any kind')
  for (let n = 0; n < exchanges; n += 1) script.client(request(`/${n}`)).server(numbered(n))
  // A midstream pair needs the end of its connection as proof.
  return script.close()
}

test('connections: model: each has one protocol, and only HTTP/1 connections have pairs, in any order of segments', () => {
  const order = fc.infiniteStream(fc.nat(1000))
  fc.assert(
    fc.property(fc.array(spoken, { minLength: 1, maxLength: 5 }), order, (all, chosen) => {
      const harness = new AssembleHarness()
      const rest: Segment[][] = all.map((one) => [...scriptOf(one).segments])
      let micros = START_MICROS
      for (let left = rest.flat().length; left > 0; left -= 1) {
        const open = rest.flatMap((segments, index) => (segments.length > 0 ? [index] : []))
        const index = open[(chosen.next().value as number) % open.length]
        const [segment] = rest[index].splice(0, 1)
        micros += 10
        harness.segments([{ ...segment, micros }], { client: { address: '10.0.0.1', port: 20_000 + index } })
      }
      const { pairs } = harness.finish()
      const https = all.filter(({ protocol }) => protocol === 'http1')
      assert.equal(
        pairs.length,
        https.reduce((sum, { exchanges }) => sum + exchanges, 0),
      )
      assert.ok(pairs.every(({ client }) => client.address === '10.0.0.1'))
      for (const protocol of PROTOCOLS) {
        // Midstream, only protocols with distinctive first bytes can be recognised.
        const expected = all.filter((one) => one.protocol === protocol && !(protocol === 'other' && one.isMidstream))
        assert.equal(harness.count(`flows.protocol.${protocol}`), expected.length, protocol)
      }
    }),
    { numRuns: propertyRuns(100) },
  )
})

test('connections: midstream, the client is the side that sends requests, whichever side is captured first', () => {
  for (const isServerFirst of [false, true]) {
    const script = new TcpScript().midstream()
    if (isServerFirst) script.server(numbered(7))
    script.client(request('/0')).server(numbered(0)).client(request('/1')).server(numbered(1)).close()
    const { pairs } = new AssembleHarness().script(script).finish()
    assert.deepEqual(summary(pairs), ['GET /0 200', 'GET /1 200'])
    assert.ok(pairs.every(({ client, server }) => client.port > server.port))
  }
})

test('connections: the client is the side that sends requests, whichever side opened the connection', () => {
  for (const opened of ['by the other side', 'by both sides', 'by both sides, each SYN captured twice']) {
    for (const client of ['client', 'server'] as const) {
      const server = client === 'client' ? 'server' : 'client'
      const script = new TcpScript()
      if (opened === 'by the other side') script.handshake()
      else {
        const sent = [SYN, SYN | ACK].flatMap((flags) =>
          (['client', 'server'] as const).map((side) => ({ side, flags, seq: script.next(side) })),
        )
        for (const { side, flags, seq } of sent) {
          const ack = flags === SYN ? 0 : script.next(side === 'client' ? 'server' : 'client') + 1
          for (let copies = opened.includes('twice') ? 2 : 1; copies > 0; copies--)
            script.stray(side, { flags, seq, ack })
        }
        script.midstream()
      }
      for (let n = 0; n < 3; n++) script.send(client, request(`/${n}`)).send(server, numbered(n))
      script.close()
      const { pairs, ledger } = assemble(script)
      assert.deepEqual(summary(pairs), ['GET /0 200', 'GET /1 200', 'GET /2 200'], `${opened}: ${client}`)
      assert.deepEqual(wrongPairs(pairs), [])
      assert.equal(pairs[0].client.port, client === 'client' ? CLIENT.port : SERVER.port)
      assert.equal(count(ledger, 'flows.protocol.http1'), 1)
    }
  }
})

test('connections: reused records keep nothing of the connections that have ended', () => {
  const harness = new AssembleHarness()
  for (let port = 20_000; port < 20_050; port += 1) {
    const link = { client: { address: '10.0.0.1', port } }
    const cut = new TcpScript()
      .handshake()
      .client('POST /cut HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc')
      .reset('client')
    harness.script(
      port % 2 === 0 ? cut : new TcpScript().handshake().client(request('/1')).server(numbered(1)).close(),
      link,
    )
  }
  const { pairs } = harness.finish()
  assert.deepEqual(
    summary(pairs),
    Array.from({ length: 25 }, () => 'GET /1 200'),
  )
  assert.equal(harness.count('requests.abandoned.reset'), 25)
})

test('connections: thousands of connections, whose records are prefetched, each have their own pairs', () => {
  const count = 5000
  const harness = new AssembleHarness({ flows: count })
  const frames = Array.from({ length: count }, (_, n) => {
    const script = new TcpScript()
      .handshake()
      .client(request(`/${n}`))
      .server(numbered(n))
    script.client(request(`/${count + n}`)).server(numbered(count + n))
    const host = n % 3 === 0 ? '2001:db8::' : '10.0.0.'
    return encodeFrames(script.segments, {
      client: { address: `${host}${n % 7}`, port: 10_000 + n },
      server: { address: `${host}9`, port: 80 },
    })
  })
  // The first exchange of each connection; then the second ones, interleaved so that a block holds segments of many
  // connections.
  for (const own of frames) harness.block(own.splice(0, own.length - 4))
  for (let first = 0; first < count; first += 50) {
    const some = frames.slice(first, first + 50)
    harness.block([...some.map(([asked]) => asked), ...some.map(([, , answered]) => answered)])
  }
  const { pairs } = harness.finish()
  assert.equal(pairs.length, 2 * count)
  assert.deepEqual(wrongPairs(pairs), [])
  assert.ok(pairs.every(({ client, request: { target } }) => client.port - 10_000 === Number(target.slice(1)) % count))
})
