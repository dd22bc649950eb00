/** Floods of state that an assembler has to keep: it stays within its memory, and new connections still have room. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stateBounds } from '../../src/assemble/state-bounds.ts'
import { AssembleHarness, assemblerOptions, HOST_INTERFACE } from '../support/assemble-harness.ts'
import { numbered, request } from '../support/http-script.ts'
import { encodeFrames, type Frame, layFrame } from '../support/tcp-frames.ts'
import { ACK, type Segment, START_MICROS, TcpScript } from '../support/tcp-script.ts'

/** Offsets in an Ethernet frame with IPv4: the last two bytes of the source, the ports, the sequence number. */
const SOURCE = 28
const SOURCE_PORT = 34
const TARGET_PORT = 36
const SEQ = 38

/** The same one-byte segment repeatedly, each time of another connection or at another position. */
class OneByte {
  readonly #frame: Frame = layFrame({
    fromClient: true,
    seq: 0,
    ack: 1,
    flags: ACK,
    payload: Buffer.from('x'),
    micros: START_MICROS,
  })
  readonly #view = new DataView(this.#frame.bytes.buffer, this.#frame.bytes.byteOffset)

  at(connection: number, seq: number): Frame {
    this.#view.setUint16(SOURCE, 1 + (connection >> 15))
    this.#view.setUint16(SOURCE_PORT, 1 + (connection & 0x7fff))
    this.#view.setUint32(SEQ, seq)
    return this.#frame
  }
}

/** One conversation repeatedly, each time from another client port. */
class Conversation {
  readonly #frames: Frame[]
  readonly #views: { view: DataView; port: number }[]

  constructor(script: TcpScript | readonly Segment[]) {
    const segments = 'segments' in script ? script.segments : script
    this.#frames = encodeFrames(segments)
    this.#views = this.#frames.map(({ bytes }, i) => ({
      view: new DataView(bytes.buffer, bytes.byteOffset),
      port: segments[i].fromClient ? SOURCE_PORT : TARGET_PORT,
    }))
  }

  from(clientPort: number): readonly Frame[] {
    for (const { view, port } of this.#views) view.setUint16(port, clientPort)
    return this.#frames
  }
}

test('floods: 5,000 connections with 80 one-byte segments behind a lost byte lose no pair of other connections', () => {
  const good = 20_000
  let pairs = 0
  const harness = new AssembleHarness({ onPair: () => pairs++, flows: 100_000, interfaces: [HOST_INTERFACE] })
  const flood = new OneByte()
  const exchange = new Conversation(new TcpScript().handshake().client(request('/0')).server(numbered(0)).close())
  const step = 400_000 / good
  for (let i = 0; i < good; i++) {
    for (let k = 0; k < step; k++) {
      const n = i * step + k
      harness.frames([flood.at(n % 5000, 100 + (n < 5000 ? 0 : 1 + Math.floor(n / 5000)))])
    }
    harness.frames(exchange.from(1 + i))
  }
  assert.ok(pairs >= 0.999 * good, `${pairs} pairs`)
  assert.ok(harness.count('gaps.evicted') > 1000, 'the pool was never full')
  harness.finish()
})

test('floods: unanswered requests fill the pool, and a new one is still paired', () => {
  const pairs: number[] = []
  const harness = new AssembleHarness({ onPair: () => pairs.push(0), flows: 10_000, poolBytes: 1024 * 1024 })
  const asked = encodeFrames(
    new TcpScript().handshake().client(request('/', { headers: [`X: ${'x'.repeat(300)}`] })).segments,
  )
  for (let port = 1; port <= 3000; port++) {
    for (const { bytes } of asked) {
      const view = new DataView(bytes.buffer, bytes.byteOffset)
      view.setUint16(view.getUint16(36) === 8080 ? SOURCE_PORT : 36, port)
    }
    harness.frames(asked)
  }
  assert.ok(harness.count('requests.abandoned.evicted') > 500)
  harness.script(new TcpScript().handshake().client(request('/0')).server(numbered(0)), {
    client: { address: '10.0.0.7', port: 1 },
  })
  assert.equal(pairs.length, 1)
  harness.finish()
})

test('floods: connections without data do not evict connections that carry HTTP', () => {
  const pairs: number[] = []
  const harness = new AssembleHarness({ onPair: () => pairs.push(0), flows: 1000 })
  const first = new Conversation(new TcpScript().handshake().client(request('/0')).server(numbered(0)))
  for (let port = 1; port <= 800; port++) harness.frames(first.from(port))
  const opened = new Conversation(new TcpScript().handshake())
  for (let port = 10_000; port < 30_000; port++) harness.frames(opened.from(port))
  const { segments } = new TcpScript()
    .handshake()
    .client(request('/0'))
    .server(numbered(0))
    .client(request('/1'))
    .server(numbered(1))
  const second = new Conversation(segments.slice(-4))
  for (let port = 1; port <= 800; port++) harness.frames(second.from(port))
  assert.equal(pairs.length, 1600)
  assert.ok(harness.count('flows.closed.evicted') > 19_000)
  harness.finish()
})

test('floods: unanswered requests stay within the memory for state, and a new one is still paired', () => {
  const pairs: number[] = []
  const harness = new AssembleHarness({ onPair: () => pairs.push(0), flows: 100_000, stateBytes: 4 * 1024 * 1024 })
  const asked = new Conversation(new TcpScript().handshake().client(request('/').repeat(8)))
  for (let port = 1; port <= 5000; port++) harness.frames(asked.from(port))
  const { exchanges, connections } = stateBounds(assemblerOptions({ stateBytes: 4 * 1024 * 1024, flows: 100_000 }))
  assert.ok(harness.count('requests.waiting') <= exchanges + 8)
  assert.ok(harness.count('flows.open') <= connections)
  assert.equal(harness.count('requests.waiting') + harness.count('requests.abandoned.evicted'), 40_000)
  harness.script(new TcpScript().handshake().client(request('/0')).server(numbered(0)), {
    client: { address: '10.0.0.7', port: 1 },
  })
  assert.equal(pairs.length, 1)
  harness.finish()
})

/** Requests whose bodies never complete. */
const upload = new Conversation(
  new TcpScript()
    .handshake()
    .client(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n${'x'.repeat(50_000)}`),
)
const halfHead = new Conversation(new TcpScript().handshake().client(`GET / HTTP/1.1\r\nX: ${'x'.repeat(50_000)}`))

for (const [name, flood] of [
  ['uploads', upload],
  ['heads', halfHead],
] as const) {
  test(`floods: ${name} that never complete fill the pool, and are evicted for every new exchange`, () => {
    const good = 500
    let pairs = 0
    const harness = new AssembleHarness({ onPair: () => pairs++, poolBytes: 4 * 1024 * 1024 })
    for (let port = 1; port <= 200; port++) harness.frames(flood.from(port))
    const { segments } = new TcpScript().handshake().client(request('/0')).server(numbered(0))
    const asked = new Conversation(segments.slice(0, -1))
    const answered = new Conversation(segments.slice(-1))
    for (let port = 10_000; port < 10_000 + good; port++) harness.frames(asked.from(port))
    for (let port = 10_000; port < 10_000 + good; port++) harness.frames(answered.from(port))
    assert.equal(pairs, good)
    harness.finish()
  })
}

test('floods: waiting requests are evicted before messages in progress if they hold more', () => {
  const pairs: number[] = []
  const harness = new AssembleHarness({ onPair: () => pairs.push(0), flows: 10_000, poolBytes: 4 * 1024 * 1024 })
  const message = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`
  const { segments } = new TcpScript()
    .handshake()
    .client(request('/0'))
    .server(message.slice(0, 50_000))
    .server(message.slice(50_000))
  harness.segments(segments.slice(0, -1))
  const waiting = new Conversation(
    new TcpScript().handshake().client(request('/', { headers: [`X: ${'x'.repeat(1000)}`] })),
  )
  for (let port = 1; port <= 5000; port++) harness.frames(waiting.from(port))
  assert.ok(harness.count('requests.abandoned.evicted') > 1000)
  harness.segments(segments.slice(-1))
  assert.equal(pairs.length, 1)
  harness.finish()
})

test('floods: a message that pauses for longer than the idle timeout is abandoned, whatever keeps its connection open', () => {
  const harness = new AssembleHarness({ idleTimeoutMicros: 60_000_000 })
  const script = new TcpScript().handshake().client(request('/0')).server(numbered(0).slice(0, -1))
  harness.script(script)
  const probes = script.segments.length
  for (let k = 0; k < 14; k++) script.wait(5_000_000).ack('client')
  harness.segments(script.segments.slice(probes))
  assert.equal(harness.count('flows.open'), 1)
  assert.equal(harness.count('requests.abandoned.timeout'), 1)
  assert.equal(harness.assembler.heldBytes, 0)
  harness.finish()
})

test('floods: one segment that answers requests of 18 MB yields every pair', () => {
  const requests = 300
  const body = 'x'.repeat(60_000)
  const sizes: number[] = []
  const harness = new AssembleHarness({
    poolBytes: 64 * 1024 * 1024,
    onPair: (bytes) => sizes.push(bytes.length),
  })
  const script = new TcpScript({ segmentBytes: 60_500 }).handshake()
  for (let i = 0; i < requests; i++) {
    script.client(`POST /${i} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  }
  script.server('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'.repeat(requests))
  harness.script(script.close())
  assert.equal(sizes.length, requests)
  assert.ok(sizes.every((size) => size > body.length && size < body.length + 1000))
  harness.finish()
})

test('floods: requests behind holes of many connections that expire at once stay within the memory for state', () => {
  const connections = 8
  const options = { flows: 100, stateBytes: 1024 * 1024, poolBytes: 16 * 1024 * 1024 }
  const harness = new AssembleHarness(options)
  const script = new TcpScript({ segmentBytes: 60_000, bareAcks: false }).handshake().client('lost')
  const segments = script.segments.slice(0, -1)
  segments.push(...script.client('GET / HTTP/1.1\r\n\r\n'.repeat(3000)).segments.slice(-1))
  for (let port = 1; port <= connections; port++) harness.frames(new Conversation(segments).from(port))
  // A step of the clock applies once a second frame confirms it.
  for (const seconds of [40, 41]) harness.tick(START_MICROS + seconds * 1_000_000)
  assert.ok(harness.count('gaps.expired') > 0, 'no hole has expired')
  assert.ok(harness.count('requests.waiting') <= stateBounds(assemblerOptions(options)).exchanges)
  harness.finish()
})

test('floods: incomplete heads beyond the limit of messages in progress lose no pair of other connections', () => {
  let pairs = 0
  const options = { flows: 10_000, stateBytes: 1024 * 1024 }
  const harness = new AssembleHarness({ ...options, onPair: () => pairs++ })
  const flood = new Conversation(new TcpScript().handshake().client('GET / HTTP/1.1\r\nX: y'))
  const exchange = new Conversation(new TcpScript().handshake().client(request('/0')).server(numbered(0)))
  for (let port = 1; port <= 3000; port++) {
    harness.frames(flood.from(port))
    if (port % 3 === 0) harness.frames(exchange.from(10_000 + port))
  }
  assert.ok(harness.count('flows.closed.evicted') > stateBounds(assemblerOptions(options)).messages)
  assert.equal(pairs, 1000)
  harness.finish()
})

test('floods: closed connections are removed early for new ones, and counted', () => {
  const harness = new AssembleHarness({ flows: 100 })
  const exchange = new Conversation(new TcpScript().handshake().client(request('/0')).server(numbered(0)).close())
  for (let port = 1; port <= 130; port++) harness.frames(exchange.from(port))
  assert.equal(harness.count('flows.removedEarly'), 30)
  assert.equal(harness.count('flows.closed.fin'), 130)
  harness.finish()
})

/** Complete pairs that wait until later segments confirm them (core/http1/proof.ts). */
const PENDING: readonly (readonly [name: string, script: TcpScript])[] = [
  [
    'the next request',
    new TcpScript()
      .midstream()
      .client(request('/1'))
      .server(numbered(1, 'x'.repeat(600))),
  ],
  [
    'the next response',
    new TcpScript()
      .handshake()
      .client(request('/1'))
      .server(numbered(1, 'x'.repeat(600)).slice(0, 300))
      .client('GET')
      .server(numbered(1, 'x'.repeat(600)).slice(300)),
  ],
]
const POOL_BYTES = 16 * 1024 * 1024
const SCARCE = [
  ['memory for state', { stateBytes: 1024 * 1024, poolBytes: POOL_BYTES }],
  ['pool', { poolBytes: 1024 * 1024 }],
] as const

for (const [name, script] of PENDING) {
  for (const [what, scarce] of SCARCE) {
    test(`floods: pairs that wait for ${name} fill the ${what}, and lose no pair of other connections`, () => {
      const harness = new AssembleHarness({ flows: 10_000, ...scarce })
      const flood = new Conversation(script)
      const exchange = new Conversation(new TcpScript().handshake().client(request('/0')).server(numbered(0)).close())
      for (let port = 1; port <= 9000; port++) {
        harness.frames(flood.from(port))
        if (port % 10 === 0) harness.frames(exchange.from(10_000 + port))
      }
      const ofOthers = harness.pairs.filter(({ request: { target } }) => target === '/0')
      assert.equal(ofOthers.length, 900)
      const { exchanges } = stateBounds(assemblerOptions({ flows: 10_000, ...scarce }))
      assert.ok(harness.count('requests.waiting') <= exchanges)
      assert.ok(harness.assembler.heldBytes <= POOL_BYTES)
      const kept = harness.count('requests.waiting')
      assert.ok(kept < 6000, `${kept} of 9000 wait`)
      harness.finish()
    })
  }
}

/** Properties for which a connection needs an additional record, or a cell of the pool. */
const RARE: readonly (readonly [name: string, script: TcpScript])[] = [
  ['a segment behind a hole', new TcpScript().handshake().client('lost').client('x')],
  ['the head of the PROXY protocol', new TcpScript().handshake().client('PROXY TCP4 203.0.113.9 192.0.2.1 1 80\r\n')],
  ['half a head of the PROXY protocol', new TcpScript().handshake().client('PROXY TCP4 203.0.113.9')],
  ['half a SOCKS handshake', new TcpScript().handshake().client(`\x05\xff${'m'.repeat(250)}`)],
]

for (const [name, script] of RARE) {
  test(`floods: connections with ${name} beyond the limit lose no pair of other connections`, () => {
    let pairs = 0
    const options = { flows: 4000, poolBytes: 1024 * 1024 }
    const harness = new AssembleHarness({ ...options, onPair: () => pairs++ })
    const segments = script.segments.filter(({ payload }) => !Buffer.from(payload).includes('lost'))
    const flood = new Conversation(segments)
    // A good connection that has such a record too, and a new one of each kind.
    const long = new TcpScript().handshake().client('PROXY TCP4 203.0.113.7 192.0.2.1 7 80\r\n').client(request('/0'))
    harness.script(long.server(numbered(0)), { client: { address: '10.0.0.7', port: 1 } })
    const exchange = new Conversation(new TcpScript().handshake().client(request('/0')).server(numbered(0)).close())
    for (let port = 1; port <= 20_000; port++) {
      harness.frames(flood.from(port))
      if (port % 20 !== 0) continue
      harness.frames(exchange.from(30_000 + port / 20))
      const asked = long.segments.length
      long.client(request('/0')).server(numbered(0))
      harness.segments(long.segments.slice(asked), { client: { address: '10.0.0.7', port: 1 } })
    }
    assert.equal(pairs, 2001)
    assert.ok(harness.assembler.heldBytes <= options.poolBytes / 2, `${harness.assembler.heldBytes} bytes`)
    assert.ok(harness.count('flows.closed.evicted') >= 16_000)
    harness.finish()
  })
}
