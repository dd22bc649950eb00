/**
 * Lost segments: an affected exchange may be missing, but a response is never paired with a request that it does not
 * answer (docs/pairing.md: a doubtful pair is never emitted).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { count } from '../../../src/ledger/ledger.ts'
import { assemble, type HarnessOptions, summary } from '../../support/assemble-harness.ts'
import { chunked, numbered, request, response, sequential, wrongPairs } from '../../support/http-script.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { FIN, type Segment, SYN, TcpScript } from '../../support/tcp-script.ts'

/** Small regions, because there are thousands of runs. */
const SMALL: HarnessOptions = { messageBytes: 65_536, pairBytes: 65_536, poolBytes: 1024 * 1024, flows: 64 }

for (const bareAcks of [true, false]) {
  test(`loss: any one segment of 12 sequential exchanges ${bareAcks ? 'with' : 'without'} bare acks loses at most one pair`, () => {
    const { segments } = sequential(12, { bareAcks, segmentBytes: 60 })
    segments.forEach((lost, i) => {
      const { pairs } = assemble(segments.toSpliced(i, 1), SMALL)
      assert.deepEqual(wrongPairs(pairs), [], `segment ${i}`)
      assert.ok(
        pairs.length >= (lost.payload.length > 0 ? 11 : 12),
        `segment ${i} (flags ${lost.flags}): ${pairs.length} pairs`,
      )
    })
  })

  test(`loss: one lost response of 1000 ${bareAcks ? 'with' : 'without'} bare acks leaves 999 correct pairs`, () => {
    const { segments } = sequential(1000, { bareAcks })
    const responses = segments.filter(({ fromClient, payload }) => !fromClient && payload.length > 0)
    for (const lost of [0, 1, 499, 998, 999]) {
      const kept = segments.filter((segment) => segment !== responses[lost])
      const { pairs, ledger } = assemble(kept)
      assert.deepEqual(wrongPairs(pairs), [])
      assert.equal(pairs.length, 999, `response ${lost}`)
      assert.equal(count(ledger, 'requests.abandoned'), 1)
    }
  })

  test(`loss: one lost request of 1000 ${bareAcks ? 'with' : 'without'} bare acks leaves 999 correct pairs`, () => {
    const { segments } = sequential(1000, { bareAcks })
    const requests = segments.filter(({ fromClient, payload }) => fromClient && payload.length > 0)
    for (const lost of [0, 1, 499, 998, 999]) {
      const kept = segments.filter((segment) => segment !== requests[lost])
      const { pairs, ledger } = assemble(kept)
      assert.deepEqual(wrongPairs(pairs), [])
      assert.equal(pairs.length, 999, `request ${lost}`)
      assert.equal(count(ledger, 'responses.orphaned'), 1)
    }
  })
}

interface Conversation {
  /** Number of requests sent at once, for each batch. */
  batches: number[]
  /** Shape of each exchange, see `shaped`. */
  shapes: number[]
  segmentBytes: number
  bareAcks: boolean
  /** Whether the responses of a batch are sent at once, so that they may share segments. */
  serverBatches: boolean
}

/** @param shapes how many of the shapes to choose from */
const conversations = (shapes = 7): fc.Arbitrary<Conversation> =>
  fc.record({
    batches: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 6 }),
    shapes: fc.array(fc.nat(shapes - 1), { minLength: 24, maxLength: 24 }),
    segmentBytes: fc.integer({ min: 20, max: 300 }),
    bareAcks: fc.boolean(),
    serverBatches: fc.boolean(),
  })

function play({ batches, shapes, segmentBytes, bareAcks, serverBatches }: Conversation): Segment[] {
  const script = new TcpScript({ bareAcks, segmentBytes }).handshake()
  let n = 0
  for (const batch of batches) {
    const exchanges = Array.from({ length: batch }, () => shaped(n++, shapes))
    script.client(exchanges.map(([asked]) => asked).join(''))
    if (serverBatches) script.server(exchanges.map(([, answered]) => answered).join(''))
    else for (const [, answered] of exchanges) script.server(answered)
  }
  return script.close().segments
}

/**
 * A request and its response. Bodies contain text that looks like messages, to mislead a parser that resynchronises.
 */
function shaped(n: number, shapes: readonly number[]): [string, string] {
  const body = `{"n":${n}}`
  switch (shapes[n]) {
    case 0:
      return [request(`/${n}`), numbered(n)]
    case 1:
      return [request(`/${n}`, { body: 'x'.repeat(100) }), numbered(n)]
    case 2:
      return [request(`/${n}`), chunked([body, ' '.repeat(50)], [`X-Answer-To: /${n}`])]
    case 3:
      return [request(`/${n}`), numbered(n, ' '.repeat(200))]
    case 4:
      return [request(`/${n}`), `HTTP/1.1 103 Early\r\nLink: x\r\n\r\n${numbered(n)}`]
    case 5:
      return [request(`/${n}`), numbered(n, response('', { headers: ['X-Answer-To: in a body'] }))]
    default:
      return [request(`/${n}`, { body: request('/in-a-body') }), numbered(n)]
  }
}

/** Bodies sent after a 100 (Continue), which begin where the server has acknowledged everything before. */
test('loss: a request inside a body that was sent after a 100 is not paired', () => {
  const body = request('/in-a-body')
  const head = `POST /outer HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`
  for (const before of [0, 1, 2]) {
    const script = new TcpScript().handshake()
    for (let n = 0; n < before; n++) script.client(request(`/${n}`)).server(numbered(n))
    const lost = script.segments.length
    script.client(head).server('HTTP/1.1 100 Continue\r\n\r\n').client(body).server(numbered(7)).close()
    const { pairs } = assemble(script.segments.toSpliced(lost, 1))
    assert.deepEqual(wrongPairs(pairs), [], `after ${before} exchanges`)
    assert.equal(pairs.length, before)
  }
})

/** Indexes to lose, as single segments and as bursts. */
const losses = fc.array(fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 6 })), { minLength: 1, maxLength: 4 })

/** Handshake and close are never lost here; other tests cover captures that begin and end anywhere. */
function lose(segments: readonly Segment[], lost: readonly [number, number][]): Segment[] {
  const data = segments.slice(3, -3)
  const isLost = (i: number): boolean =>
    lost.some(([at, length]) => i >= at % data.length && i < (at % data.length) + length)
  return [...segments.slice(0, 3), ...data.filter((_, i) => !isLost(i)), ...segments.slice(-3)]
}

test('loss: random bursts in sequential and pipelined conversations yield no wrong pair', () => {
  fc.assert(
    fc.property(conversations(), losses, (conversation, lost) => {
      assert.deepEqual(wrongPairs(assemble(lose(play(conversation), lost), SMALL).pairs), [])
    }),
    { numRuns: propertyRuns(4000) },
  )
})

test('loss: without loss, random conversations yield every pair in order', () => {
  fc.assert(
    fc.property(conversations(), (conversation) => {
      const { pairs } = assemble(play(conversation), SMALL)
      assert.deepEqual(wrongPairs(pairs), [])
      const exchanges = conversation.batches.reduce((sum, batch) => sum + batch, 0)
      assert.deepEqual(
        pairs.map(({ request: { target } }) => target),
        Array.from({ length: exchanges }, (_, n) => `/${n}`),
      )
    }),
    { numRuns: 500 },
  )
})

/**
 * Without the last shape: a capture that begins with a request inside a body is indistinguishable from one that begins
 * with a request.
 */
test('loss: a capture that begins anywhere yields no wrong pair', () => {
  fc.assert(
    fc.property(conversations(6), fc.nat(200), (conversation, start) => {
      const segments = play(conversation)
      assert.deepEqual(wrongPairs(assemble(segments.slice(start % segments.length), SMALL).pairs), [])
    }),
    { numRuns: propertyRuns(2000) },
  )
})

test('loss: a capture that ends anywhere yields no wrong pair', () => {
  fc.assert(
    fc.property(conversations(), fc.nat(200), (conversation, length) => {
      assert.deepEqual(wrongPairs(assemble(play(conversation).slice(0, length), SMALL).pairs), [])
    }),
    { numRuns: propertyRuns(1000) },
  )
})

/**
 * Pipelined ones are excluded: whether the only captured response answers the only captured request is undecidable
 * then.
 */
test('loss: a capture of sequential exchanges that begins and ends anywhere yields no wrong pair', () => {
  fc.assert(
    fc.property(conversations(6), fc.nat(200), fc.nat(200), (conversation, start, length) => {
      const segments = play({ ...conversation, batches: conversation.batches.map(() => 1) })
      const from = start % segments.length
      assert.deepEqual(wrongPairs(assemble(segments.slice(from, from + 1 + length), SMALL).pairs), [])
    }),
    { numRuns: propertyRuns(2000) },
  )
})

test('loss: each lost segment of sequential exchanges loses a few pairs at most, however many are lost', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(400), { minLength: 1, maxLength: 12 }), fc.boolean(), (indexes, bareAcks) => {
      const { segments } = sequential(100, { bareAcks })
      const { pairs } = assemble(
        segments.filter((_, i) => !indexes.includes(i)),
        SMALL,
      )
      assert.deepEqual(wrongPairs(pairs), [])
      assert.ok(pairs.length >= 100 - 2 * indexes.length, `${pairs.length} pairs`)
    }),
    { numRuns: 500 },
  )
})

for (const [what, exchanges] of [
  ['', 0],
  [', though the exchange before it is lost too', 1],
] as const) {
  test(`loss: a request inside the body of a request whose head is lost is not paired${what}`, () => {
    const inner = request('/inner')
    const outer = `POST /outer HTTP/1.1\r\nContent-Length: ${inner.length}\r\n\r\n`
    for (const before of [0, 1, 2]) {
      const script = new TcpScript().handshake()
      for (let n = 0; n < before; n++) script.client(request(`/${n}`)).server(numbered(n))
      const lost = script.segments.length
      for (let n = 0; n < exchanges; n++) script.client(request('/lost')).server(numbered(7))
      const end = script.segments.length + 1
      script.client(outer).client(inner).server(response('outer')).client(request('/9')).server(numbered(9)).close()
      const { pairs } = assemble(script.segments.toSpliced(lost, end - lost))
      assert.deepEqual(wrongPairs(pairs), [], `after ${before} exchanges`)
      assert.equal(pairs.length, before + 1)
    }
  })
}

test('loss: a retransmission of the first request does not prove where its response begins', () => {
  const { segments } = sequential(3)
  const [syn, , , first, , , , second] = segments as [
    Segment,
    Segment,
    Segment,
    Segment,
    Segment,
    Segment,
    Segment,
    Segment,
  ]
  // The SYN-ACK, the first request as first sent, and its response are lost.
  const again = { ...first, ack: second.ack, payload: Buffer.concat([first.payload, second.payload]) }
  const { pairs } = assemble([syn, second, again, ...segments.slice(9)])
  assert.deepEqual(wrongPairs(pairs), [])
})

test('reordering: a SYN captured behind pipelined requests shows that nothing precedes them', () => {
  const script = new TcpScript({ bareAcks: false }).handshake()
  script.client(request('/0')).client(request('/1')).server(numbered(0)).server(numbered(1)).close()
  const [syn, synAck, ...rest] = script.segments as [Segment, Segment, ...Segment[]]
  const { pairs } = assemble([...rest.slice(0, 3), syn, synAck, ...rest.slice(3)])
  assert.deepEqual(wrongPairs(pairs), [])
  assert.equal(pairs.length, 2)
})

test('reordering: a SYN captured behind a part of the first head shows that nothing precedes it', () => {
  const script = new TcpScript({ segmentBytes: 30 }).handshake()
  script.client(request('/0')).server(numbered(0)).client(request('/1')).server(numbered(1)).close()
  const [syn, synAck, ack, first, ...rest] = script.segments as [Segment, Segment, Segment, Segment, ...Segment[]]
  const { pairs } = assemble([first, syn, synAck, ack, ...rest])
  assert.deepEqual(wrongPairs(pairs), [])
  assert.equal(pairs.length, 2)
})

test('loss: a request in the SYN (TCP Fast Open) and later ones are paired with their responses', () => {
  const script = new TcpScript({ bareAcks: false }).handshake()
  script.client(request('/0')).server(numbered(0)).client(request('/1')).server(numbered(1)).close()
  const [syn, synAck, ...rest] = script.segments as [Segment, Segment, ...Segment[]]
  const first = rest.find(({ payload }) => payload.length > 0) as Segment
  const opening = [
    { ...syn, payload: first.payload },
    { ...synAck, ack: synAck.ack + first.payload.length },
  ]
  const { pairs } = assemble([...opening, ...rest.filter((segment) => segment !== first)])
  assert.deepEqual(wrongPairs(pairs), [])
  assert.equal(pairs.length, 2)
})

test('loss: pairing does not need SYNs and FINs', () => {
  const { segments } = sequential(20)
  const { pairs } = assemble(segments.filter(({ flags }) => (flags & (SYN | FIN)) === 0))
  assert.deepEqual(wrongPairs(pairs), [])
  assert.equal(pairs.length, 20)
})

test('loss: what a tunnel carries does not show that the client pipelines, where a response before it may be complete', () => {
  const script = new TcpScript({ segmentBytes: 100, stepMicros: 10 }).handshake()
  script.client(request('/0')).server(chunked(['x'.repeat(150), 'lost', 'y'.repeat(150)]))
  script.client(request('/1')).server(numbered(1))
  script.client(request('/2', { headers: ['Upgrade: echo'] }))
  script.server('HTTP/1.1 101 OK\r\nX-Answer-To: /2\r\nUpgrade: echo\r\n\r\n').client('\0\0\0\0').close()
  const { pairs } = assemble(
    script.segments.filter(({ payload }) => !payload.toString().includes('lost')),
    SMALL,
  )
  assert.deepEqual(wrongPairs(pairs), [])
  assert.deepEqual(summary(pairs), ['GET /1 200', 'GET /2 101'])
})

/** Without the segments that contain one of these texts. */
const without = (script: TcpScript, ...lost: readonly string[]): Segment[] =>
  script.segments.filter(({ payload }) => !lost.some((text) => Buffer.from(payload).includes(text)))

test('loss: any three lost segments of a client that sends requests while responses arrive yield no wrong pair', () => {
  const script = new TcpScript({ stepMicros: 1000 }).handshake().client(request('/0'))
  const first = chunked(['a'.repeat(100), 'b'.repeat(100)], ['X-Answer-To: /1'])
  const second = numbered(2, 'x'.repeat(300))
  script.server(numbered(0)).client(request('/1')).server(first.slice(0, 120)).client(request('/2'))
  script.server(first.slice(120)).client(request('/3')).server(second.slice(0, 200)).client(request('/4'))
  script.server(second.slice(200)).server(numbered(3)).server(numbered(4)).close()
  const data = script.segments.filter(({ payload }) => payload.length > 0)
  for (const a of data) {
    for (const b of data.slice(data.indexOf(a))) {
      for (const c of data.slice(data.indexOf(b))) {
        const lost = [a, b, c]
        const { pairs } = assemble(
          script.segments.filter((segment) => !lost.includes(segment)),
          SMALL,
        )
        assert.deepEqual(wrongPairs(pairs), [], `lost: ${lost.map((segment) => data.indexOf(segment)).join(', ')}`)
      }
    }
  }
})

test('loss: bytes of a response right behind what a request acknowledges show that the client pipelines', () => {
  const body = 'x'.repeat(100)
  const head = 'HTTP/1.1 200 OK\r\nX-Answer-To: /0\r\nTransfer-Encoding: chunked\r\n\r\n'
  const script = new TcpScript().handshake().client(request('/0')).server(`${head}64\r\n${body}`)
  script.server('\r\n1\r\nlost').client(request('/1')).server('\r\n0\r\n\r\n').client(request('/2'))
  script.server(numbered(1)).client(request('/3')).server(numbered(2)).server(numbered(3)).close()
  const { pairs } = assemble(without(script, 'lost'))
  assert.deepEqual(wrongPairs(pairs), [])
})

test('loss: one damaged sequence number does not leave all later losses without proof', () => {
  const { segments } = sequential(200, { bareAcks: false })
  const responses = segments.filter(({ fromClient, payload }) => !fromClient && payload.length > 0)
  // The next request acknowledges what is now a part of it.
  const damaged = responses[20] as Segment
  const lost = [responses[60], responses[150]]
  const { pairs } = assemble(
    segments
      .filter((segment) => !lost.includes(segment))
      .map((segment) => (segment === damaged ? { ...segment, seq: (segment.seq + 16) >>> 0 } : segment)),
  )
  assert.deepEqual(wrongPairs(pairs), [])
  assert.ok(pairs.length > 150, `${pairs.length} pairs`)
})

test('loss: a response is proved by a 100 before it that its client had not received when it sent the body', () => {
  const script = new TcpScript().handshake().client(request('/0')).server(numbered(0))
  const [head = '', body = ''] = request('/1', { body: 'body' }).split('body')
  script.client(head).client(`body${body}`).server('HTTP/1.1 100 Continue\r\n\r\n').server(numbered(1))
  script.client(request('/2')).server(numbered(2)).close()
  const early = script.segments.find(({ payload }) => Buffer.from(payload).includes('100 Continue')) as Segment
  early.ack = (early.ack - 4) >>> 0
  const { pairs } = assemble(without(script, 'X-Answer-To: /0'))
  assert.deepEqual(wrongPairs(pairs), [])
  assert.deepEqual(summary(pairs), ['POST /1 200', 'GET /2 200'])
})

test('loss: a segment far ahead, which its receiver drops, takes the place of none that follow', () => {
  const script = new TcpScript().handshake().client(request('/0')).server(numbered(0))
  const payload = Buffer.from(numbered(9))
  for (const side of ['client', 'server'] as const) {
    script.stray(side, { seq: (script.next(side) + 700_000_000) >>> 0, payload })
  }
  for (let n = 1; n < 5; n++)
    script
      .wait(20_000_000)
      .client(request(`/${n}`))
      .server(numbered(n))
  const { pairs } = assemble(script.close())
  assert.deepEqual(wrongPairs(pairs), [])
  assert.equal(pairs.length, 5)
})

test('reordering: a SYN-ACK captured behind an acknowledgement of its sender shows that nothing precedes that', () => {
  const script = new TcpScript({ bareAcks: false }).handshake().client(`${request('/0')}${request('/1')}`)
  const [syn, synAck, ...rest] = script.ack('server').server(numbered(0)).server(numbered(1)).close().segments
  const early = { ...script.segments[4], ack: synAck?.ack ?? 0 }
  assert.equal(early.payload.length, 0)
  const { pairs } = assemble([syn as Segment, early, synAck as Segment, ...rest])
  assert.deepEqual(wrongPairs(pairs), [])
  assert.equal(pairs.length, 2)
})

test('reordering: the end of a chunked body is not taken for a response, although a request acknowledges what precedes it', () => {
  const [whole, end] = [chunked(['a', 'b'], ['X-Answer-To: /0']).slice(0, -2), '\r\n']
  const script = new TcpScript({ segmentBytes: 1000 }).handshake().client(request('/0')).server(whole)
  script
    .client(request('/1'))
    .server(end[0] ?? '')
    .server(end[1] ?? '')
    .server(numbered(1))
    .close()
  const { pairs } = assemble(script)
  assert.deepEqual(wrongPairs(pairs), [])
  assert.equal(pairs.length, 2)
})
