/** No input from the wire throws, breaks the ledger, leaks memory or produces a pair that violates its schema. */
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { AssembleHarness, assemble, type HarnessOptions } from '../support/assemble-harness.ts'
import { chunked, numbered, request } from '../support/http-script.ts'
import { propertyRuns } from '../support/property-runs.ts'
import { encodeFrames } from '../support/tcp-frames.ts'
import { TcpScript } from '../support/tcp-script.ts'

const SMALL: HarnessOptions = { messageBytes: 4096, pairBytes: 6000, poolBytes: 128 * 1024, flows: 16 }

/** Fragments of HTTP, and bytes that are not HTTP. */
const PIECES = [
  'GET / HTTP/1.1\r\n',
  'HEAD / HTTP/1.0\r\n',
  'CONNECT a:1 HTTP/1.1\r\n',
  'POST /',
  ' HTTP/1.1',
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.1 100 Continue\r\n',
  'HTTP/1.1 101 X\r\n',
  'HTTP/1.1 204\r\n',
  'HTTP/1.1 099 X\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: 5, 6\r\n',
  'Content-Length: 99999999999999999999\r\n',
  'Content-Length:',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip\r\n',
  ' folded\r\n',
  'no colon\r\n',
  ': no name\r\n',
  '\r\n',
  '\r\n\r\n',
  '\n',
  '\r',
  '5\r\nhello\r\n',
  '0\r\n\r\n',
  'ffffffffffffffff\r\n',
  ';x=y',
  'hello',
  '\0\xff\xfe',
  'x'.repeat(3000),
]

const side = fc.constantFrom('client' as const, 'server' as const)
const pieces = fc.array(fc.tuple(side, fc.array(fc.nat(PIECES.length - 1), { minLength: 1, maxLength: 6 })), {
  minLength: 1,
  maxLength: 12,
})

describe('fuzz', () => {
  test('any sequence of fragments of HTTP, segmented in any way', () => {
    fc.assert(
      fc.property(
        pieces,
        fc.integer({ min: 1, max: 4000 }),
        fc.boolean(),
        fc.boolean(),
        (list, segmentBytes, whole, close) => {
          const script = new TcpScript({ segmentBytes })
          if (whole) script.handshake()
          else script.midstream()
          for (const [from, indexes] of list) script.send(from, indexes.map((i) => PIECES[i]).join(''))
          assemble(close ? script.close() : script, SMALL)
        },
      ),
      { numRuns: propertyRuns(1500) },
    )
  })

  test('conversations whose frames are modified, reordered, repeated and truncated', () => {
    const script = new TcpScript().handshake()
    for (const n of [0, 1, 2]) script.client(request(`/${n}`)).server(numbered(n))
    script
      .client(request('/3', { body: 'body' }))
      .server(chunked(['abc', 'de']))
      .client(request('/4'))
      .server(numbered(4))
      .close()
    const frames = encodeFrames(script.segments)
    const change = fc.record({
      kind: fc.constantFrom('byte', 'byte', 'byte', 'swap', 'repeat', 'cut', 'drop'),
      frame: fc.nat(frames.length - 1),
      at: fc.nat(120),
      value: fc.nat(255),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
        const mutated = frames.map((frame) => ({ ...frame, bytes: Uint8Array.from(frame.bytes) }))
        for (const { kind, frame, at, value } of changes) {
          const index = frame % mutated.length
          const { bytes } = mutated[index]
          if (kind === 'byte') bytes[at % bytes.length] = value
          else if (kind === 'swap') mutated.push(...mutated.splice(index, 1))
          else if (kind === 'repeat') mutated.splice(at % mutated.length, 0, mutated[index])
          else if (kind === 'cut') mutated[index] = { ...mutated[index], bytes: bytes.slice(0, at % bytes.length) }
          else if (mutated.length > 1) mutated.splice(index, 1)
        }
        new AssembleHarness(SMALL).frames(mutated).finish()
      }),
      { numRuns: propertyRuns(2000) },
    )
  })

  test('segments with any sequence numbers and flags', () => {
    const near = fc.oneof(
      fc.integer({ min: 990, max: 1200 }),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      fc.constant(2 ** 31),
    )
    const segment = fc.record({
      fromClient: fc.boolean(),
      seq: near,
      ack: near,
      flags: fc.nat(63),
      payload: fc.constantFrom('', 'x', request('/'), numbered(1), 'y'.repeat(2000)).map((text) => Buffer.from(text)),
      micros: fc.oneof(fc.nat(10), fc.integer({ min: 1_700_000_000_000_000, max: 1_700_000_100_000_000 })),
    })
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 60, size: 'max' }), (segments) => {
        assemble(segments, SMALL)
      }),
      { numRuns: propertyRuns(1500) },
    )
  })
})
