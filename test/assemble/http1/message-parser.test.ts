/** The framing of a stream of messages, for any segmentation and any loss, recorded by a handler. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  CODING,
  CODING_CHUNKED,
  CONTENT_LENGTH,
  LENGTH_ABSENT,
  RESULTS_AT,
} from '../../../src/assemble/core/head/layout.ts'
import {
  REASON_CLOSED,
  REASON_EVICTED,
  REASON_GAP,
  REASON_OVERSIZE,
  REASON_RESET,
} from '../../../src/ledger/reasons.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { SEEK } from './http1-program.ts'

const PAGES = 8
const TABLES_AT = 8192
const HEADS_AT = 65_536
const INPUT_AT = 131_072
const POOL_AT = 196_608
const POOL_PAGES = 8
const HEAD_BYTES = 1000
/** Sequence numbers wrap at 2^32 within the messages. */
const FIRST_SEQ = -200

/** The exports of the message parser's program (test/assemble/core/programs/parser.ts). Streams are addresses. */
interface Exports {
  open(tables: number, heads: number, headBytes: number, pool: number, pages: number): void
  makeStream(isResponse: number): number
  stateOf(stream: number): number
  parseData(stream: number, at: number, end: number, seq: number, ack: number): void
  parseGap(stream: number, bytes: number, seq: number): void
  parseEnd(stream: number, proper: number, reason: number, seq: number): void
  expectChunked(stream: number): void
  expectBody(stream: number, length: number): void
  expectToClose(stream: number): void
  seqAt(address: number): number
  usedBytes(): number
}

/** Records what the parser reports of the only stream. */
class Notes {
  /** `head|body` of each complete message; a damaged one is prefixed with `!`. */
  readonly messages: string[] = []
  /** The sequence number after each of them. */
  readonly ends: number[] = []
  readonly losses: number[] = []
  readonly cut: number[] = []
  readonly #isResponse: boolean
  #head = ''
  #body = ''
  #isDamaged = false

  constructor(isResponse: boolean) {
    this.#isResponse = isResponse
  }

  head(stream: number, start: number, headEnd: number, bodyStart: number): number {
    const length = view.getFloat64(RESULTS_AT + CONTENT_LENGTH, true)
    this.#head = textOf(start, headEnd)
    this.#body = ''
    this.#isDamaged = false
    if (view.getInt32(RESULTS_AT + CODING, true) === CODING_CHUNKED) exports.expectChunked(stream)
    else if (length > 0) exports.expectBody(stream, length)
    else if (length === LENGTH_ABSENT && this.#isResponse) exports.expectToClose(stream)
    else this.complete(exports.seqAt(bodyStart))
    return bodyStart
  }

  body(at: number, end: number): void {
    this.#body += textOf(at, end)
  }

  complete(seq: number): void {
    this.messages.push(`${this.#isDamaged ? '!' : ''}${this.#head}|${this.#body}`)
    this.ends.push(seq)
  }

  damaged(): void {
    this.#isDamaged = true
  }
}

let notes = new Notes(false)
const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES })
const bytes = new Uint8Array(memory.buffer)
const view = new DataView(memory.buffer)
const program = new WebAssembly.Module(readFileSync(new URL('./parser.wasm', import.meta.url)))
const instance = new WebAssembly.Instance(program, {
  env: { memory },
  'message-start': {
    messageHead: (stream: number, start: number, headEnd: number, bodyStart: number) =>
      notes.head(stream, start, headEnd, bodyStart),
  },
  exchanges: {
    messageBody: (_stream: number, at: number, end: number) => notes.body(at, end),
    completeMessage: (_stream: number, seq: number) => notes.complete(seq),
    damageMessage: () => notes.damaged(),
    cutMessageShort: (_stream: number, seq: number, reason: number) => notes.cut.push(seq, reason),
    losePlace: (_stream: number, reason: number) => notes.losses.push(reason),
    recognise: () => {},
    requestBegins: () => {},
    suspectBody: () => {},
    contradicted: () => {},
    contradicts: () => 0,
    isAnswered: () => 0,
  },
  host: { hostContentType: () => 0, hostListsHost: () => 0 },
})
const exports = instance.exports as unknown as Exports

const textOf = (at: number, end: number): string => Buffer.from(bytes.subarray(at, end)).toString('latin1')

class Rig {
  readonly notes: Notes
  readonly #stream: number
  #seq = FIRST_SEQ

  constructor(isResponse: boolean, headBytes = HEAD_BYTES) {
    // Fill the record, as it would be after another connection.
    bytes.fill(0, TABLES_AT, HEADS_AT)
    exports.open(TABLES_AT, HEADS_AT, headBytes, POOL_AT, POOL_PAGES)
    this.#stream = exports.makeStream(Number(isResponse))
    this.notes = new Notes(isResponse)
    notes = this.notes
  }

  /** As in src/assemble/core/http1/stream-states.ts. */
  get state(): number {
    return exports.stateOf(this.#stream)
  }

  /** The next segment, followed by garbage. */
  data(text: string): this {
    bytes.fill(0x0a, INPUT_AT, INPUT_AT + text.length + 32)
    bytes.set(Buffer.from(text, 'latin1'), INPUT_AT)
    exports.parseData(this.#stream, INPUT_AT, INPUT_AT + text.length, this.#seq, 0)
    this.#seq = (this.#seq + text.length) | 0
    return this
  }

  gap(length: number): this {
    this.#seq = (this.#seq + length) | 0
    exports.parseGap(this.#stream, length, this.#seq)
    return this
  }

  end(isProper: boolean, reason: number): this {
    exports.parseEnd(this.#stream, Number(isProper), reason, this.#seq)
    return this
  }
}

/** A message on the wire, and the expected report. */
interface Message {
  wire: string
  headLength: number
  body: string
  isCounted: boolean
}

/** Texts that are not messages, although some look like a part of one. */
const body = fc.string({ unit: fc.constantFrom('a', 'GET ', '\r\n', ': ', 'HTTP/1.1'), minLength: 1, maxLength: 30 })
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })

function counted(start: string, text: string): Message {
  const first = `${start}\r\nHost: a\r\nContent-Length: ${text.length}\r\n\r\n`
  return { wire: first + text, headLength: first.length, body: text, isCounted: text.length > 0 }
}

function chunked(start: string, text: string, lengths: readonly number[]): Message {
  const first = `${start}\r\nTransfer-Encoding: chunked\r\n\r\n`
  let wire = first
  for (let at = 0, i = 0; at < text.length; i += 1) {
    const chunk = text.slice(at, at + lengths[i % lengths.length])
    wire += `${chunk.length.toString(16)}\r\n${chunk}\r\n`
    at += chunk.length
  }
  return { wire: `${wire}0\r\nX-Sum: 1\r\n\r\n`, headLength: first.length, body: text, isCounted: false }
}

const messagesOf = (start: string): fc.Arbitrary<Message[]> =>
  fc.array(
    fc.oneof(
      fc.constant(counted(start, '')),
      body.map((text) => counted(start, text)),
      fc.tuple(body, sizes).map(([text, lengths]) => chunked(start, text, lengths)),
    ),
    { minLength: 1, maxLength: 8 },
  )

const sides = fc.constantFrom(
  { isResponse: false, start: 'POST /a HTTP/1.1' },
  { isResponse: true, start: 'HTTP/1.1 200 OK' },
)
const streams = sides.chain(({ isResponse, start }) =>
  fc.record({ isResponse: fc.constant(isResponse), messages: messagesOf(start) }),
)

/** Where each message ends. */
const endsOf = (messages: readonly Message[]): number[] => {
  let at = FIRST_SEQ
  return messages.map(({ wire }) => (at += wire.length))
}
const reported = ({ wire, headLength, body: text }: Message): string => `${wire.slice(0, headLength)}|${text}`

test('message parser: model: reports every message once, for any segmentation', () => {
  fc.assert(
    fc.property(streams, fc.array(fc.nat(2000), { maxLength: 20 }), ({ isResponse, messages }, cuts) => {
      const wire = messages.map((message) => message.wire).join('')
      const edges = [0, ...cuts.map((cut) => cut % wire.length).sort((a, b) => a - b), wire.length]
      const rig = new Rig(isResponse)
      edges.slice(1).forEach((edge, i) => {
        if (edge > edges[i]) rig.data(wire.slice(edges[i], edge))
      })
      assert.deepEqual(rig.notes.messages, messages.map(reported))
      assert.deepEqual(rig.notes.ends, endsOf(messages))
      assert.deepEqual(rig.notes.losses, [])
      assert.equal(exports.usedBytes(), 0)
    }),
    { numRuns: propertyRuns(1000) },
  )
})

test('message parser: model: a gap damages the body of known length that contains it; otherwise parsing resumes at a message start', () => {
  const lowerCase = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 40 })
  const oneOf = fc.oneof(
    lowerCase.map((text) => counted('POST /a HTTP/1.1', text)),
    fc.tuple(lowerCase, sizes).map(([text, lengths]) => chunked('POST /a HTTP/1.1', text, lengths)),
  )
  const all = fc.array(oneOf, { minLength: 2, maxLength: 8 })
  fc.assert(
    fc.property(
      all,
      fc.nat(5000),
      fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 200 })),
      (messages, place, length) => {
        const wire = messages.map((message) => message.wire).join('')
        const from = place % wire.length
        const to = Math.min(wire.length, from + length)
        const rig = new Rig(false)
        const starts = [0, ...endsOf(messages).map((end) => end - FIRST_SEQ)]
        const edges = [...new Set([...starts, from, to])].sort((a, b) => a - b)
        edges.slice(1).forEach((edge, i) => {
          if (edges[i] === from) rig.gap(to - from)
          if (edges[i] < from || edges[i] >= to) rig.data(wire.slice(edges[i], edge))
        })
        const hit = messages.findIndex(
          ({ headLength, isCounted }, i) => isCounted && from >= starts[i] + headLength && to <= starts[i + 1],
        )
        const expected = messages.flatMap((message, i) => {
          if (i !== hit) return starts[i + 1] <= from || starts[i] >= to ? [reported(message)] : []
          const at = from - starts[i] - message.headLength
          return [
            `!${message.wire.slice(0, message.headLength)}|${message.body.slice(0, at)}${message.body.slice(at + to - from)}`,
          ]
        })
        // Within a chunk the length is known as well.
        const inChunk = rig.notes.losses.length === 0 && hit < 0
        if (inChunk) assert.ok(rig.notes.messages.some((text) => text.startsWith('!')))
        else assert.deepEqual(rig.notes.messages, expected)
        assert.deepEqual(rig.notes.losses, hit < 0 && !inChunk ? [REASON_GAP] : [])
      },
    ),
    { numRuns: propertyRuns(600) },
  )
})

test('message parser: a body that ends with the stream is complete after a FIN, and incomplete otherwise', () => {
  const response = 'HTTP/1.1 200 OK\r\nServer: a\r\n\r\nto the end'
  const closed = new Rig(true).data(response).end(true, REASON_CLOSED).notes
  assert.deepEqual(closed.messages, [response.replace('to', '|to')])
  const reset = new Rig(true).data(response).end(false, REASON_RESET).notes
  assert.deepEqual([reset.messages, reset.cut], [[], [FIRST_SEQ + response.length, REASON_RESET]])
  const counting = new Rig(true)
    .data(counted('HTTP/1.1 200 OK', 'abc').wire.slice(0, -1))
    .end(true, REASON_CLOSED).notes
  assert.deepEqual([counting.messages, counting.cut.at(1)], [[], REASON_CLOSED])
})

test('message parser: a chunked body is complete if the server closes after its last chunk without the final empty line', () => {
  const { wire } = chunked('HTTP/1.1 200 OK', 'abc', [3])
  const upTo = wire.indexOf('0\r\nX') + '0\r\n'.length
  const rig = new Rig(true).data(wire.slice(0, upTo)).end(true, REASON_CLOSED)
  assert.equal(rig.notes.messages.length, 1)
  const inTrailer = new Rig(true).data(wire.slice(0, upTo + 2)).end(true, REASON_CLOSED)
  assert.deepEqual(inTrailer.notes.messages, [])
})

test('message parser: a head over its limit, or larger than the pool, is dropped, and its memory is freed', () => {
  const long = `GET / HTTP/1.1\r\nX: ${'x'.repeat(600)}`
  const oversize = new Rig(false, 700).data(long).data(long)
  assert.deepEqual([oversize.notes.losses, oversize.state, exports.usedBytes()], [[REASON_OVERSIZE], SEEK, 0])
  oversize.data('GET /next HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.equal(oversize.notes.messages.length, 1)
  const full = new Rig(false, 1 << 20).data(`${long}${'x'.repeat(10_000)}`)
  full.data('x'.repeat(10_000))
  assert.deepEqual([full.notes.losses, full.state, exports.usedBytes()], [[REASON_EVICTED], SEEK, 0])
})
