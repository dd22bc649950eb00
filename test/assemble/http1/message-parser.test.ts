/** The framing of a stream of messages, wherever segments are cut and whatever is missing, with a handler that writes it down. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Filter } from '../../../src/assemble/filter.ts'
import { CODING_CHUNKED, LENGTH_ABSENT } from '../../../src/assemble/head-scanner/layout.ts'
import { expectChunked } from '../../../src/assemble/http1/chunked.ts'
import { HttpConnection, type MessageStream } from '../../../src/assemble/http1/connection.ts'
import { MessageHead } from '../../../src/assemble/http1/message-head.ts'
import {
  expectCounted,
  expectToClose,
  type MessageHandler,
  MessageParser,
} from '../../../src/assemble/http1/message-parser.ts'
import { Position } from '../../../src/assemble/http1/position.ts'
import { SEEK } from '../../../src/assemble/http1/stream-states.ts'
import { Arena } from '../../../src/assemble/memory/arena.ts'
import { BlockPool } from '../../../src/assemble/memory/block-pool.ts'
import { CellPool } from '../../../src/assemble/memory/cell-pool.ts'
import { PacketTime } from '../../../src/assemble/packet-time.ts'
import { defaultConfig } from '../../../src/config/load.ts'
import {
  REASON_CLOSED,
  REASON_EVICTED,
  REASON_GAP,
  REASON_OVERSIZE,
  REASON_RESET,
} from '../../../src/ledger/reasons.ts'
import { propertyRuns } from '../../support/property-runs.ts'

const HEAD_BYTES = 1000
const INPUT_BYTES = 16 * 1024
/** Sequence numbers pass 2^32 within the messages. */
const FIRST_SEQ = -200

const arena = new Arena(INPUT_BYTES, HEAD_BYTES, 0, 16 * 1024)
const head = new MessageHead(arena, new Filter(defaultConfig().filter, true))

/** Notes what the parser reports. */
class Notes implements MessageHandler {
  /** `head|body` of each message that is complete; a damaged one has `!` in front. */
  readonly messages: string[] = []
  /** Sequence number behind each of them. */
  readonly ends: number[] = []
  readonly losses: number[] = []
  readonly cut: number[] = []
  #head = ''
  #body = ''
  #isDamaged = false
  readonly #position: Position

  constructor(position: Position) {
    this.#position = position
  }

  head(stream: MessageStream, start: number, headEnd: number, bodyStart: number): number {
    this.#head = textOf(start, headEnd)
    this.#body = ''
    this.#isDamaged = false
    if (head.coding === CODING_CHUNKED) expectChunked(stream)
    else if (head.contentLength > 0) expectCounted(stream, head.contentLength)
    else if (head.contentLength === LENGTH_ABSENT && stream.isResponse) expectToClose(stream)
    else this.complete(stream, this.#position.seqAt(bodyStart))
    return bodyStart
  }

  body(_stream: MessageStream, at: number, end: number): void {
    this.#body += textOf(at, end)
  }

  complete(_stream: MessageStream, seq: number): void {
    this.messages.push(`${this.#isDamaged ? '!' : ''}${this.#head}|${this.#body}`)
    this.ends.push(seq)
  }

  damaged(): void {
    this.#isDamaged = true
  }

  cutShort(_stream: MessageStream, seq: number, reason: number): void {
    this.cut.push(seq, reason)
  }

  lost(_stream: MessageStream, reason: number): void {
    this.losses.push(reason)
  }

  recognise(): void {}
  requestBegins(): void {}
  suspect(): void {}
  contradicted(): void {}

  contradicts(): boolean {
    return false
  }

  isAnswered(): boolean {
    return false
  }
}

const textOf = (at: number, end: number): string => Buffer.from(arena.bytes.subarray(at, end)).toString('latin1')

class Rig {
  readonly position = new Position()
  readonly notes = new Notes(this.position)
  readonly stream: MessageStream
  readonly parser: MessageParser
  readonly cells = new CellPool(arena)
  #seq = FIRST_SEQ

  constructor(isResponse: boolean, headBytes = HEAD_BYTES) {
    const connection = new HttpConnection()
    this.stream = isResponse ? connection.responses : connection.requests
    const pool = new BlockPool(arena, this.cells)
    this.parser = new MessageParser(arena, pool, head, this.notes, new PacketTime(), this.position, headBytes)
  }

  /** The next segment, with garbage behind it. */
  data(text: string): this {
    const { input } = arena
    arena.bytes.fill(0x0a, input, input + text.length + 32)
    arena.bytes.set(Buffer.from(text, 'latin1'), input)
    this.parser.data(this.stream, input, input + text.length, this.#seq, 0)
    this.#seq = (this.#seq + text.length) | 0
    return this
  }

  gap(bytes: number): this {
    this.#seq = (this.#seq + bytes) | 0
    this.parser.gap(this.stream, bytes, this.#seq)
    return this
  }

  end(isProper: boolean, reason: number): this {
    this.parser.end(this.stream, isProper, reason, this.#seq)
    return this
  }
}

/** A message on the wire, and what has to be reported of it. */
interface Message {
  wire: string
  headLength: number
  body: string
  isCounted: boolean
}

/** Texts that are no message, though they may look like a part of one. */
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

test('message parser: model: reports every message once, wherever segments are cut', () => {
  fc.assert(
    fc.property(streams, fc.array(fc.nat(2000), { maxLength: 20 }), ({ isResponse, messages }, cuts) => {
      const wire = messages.map((message) => message.wire).join('')
      const edges = [0, ...cuts.map((cut) => cut % wire.length).sort((a, b) => a - b), wire.length]
      const rig = new Rig(isResponse)
      edges.slice(1).forEach((edge, i) => {
        if (edge > edges[i]) rig.data(wire.slice(edges[i], edge))
      })
      const { notes } = rig
      assert.deepEqual(notes.messages, messages.map(reported))
      assert.deepEqual(notes.ends, endsOf(messages))
      assert.deepEqual(notes.losses, [])
      assert.equal(rig.cells.usedBytes, 0)
    }),
    { numRuns: propertyRuns(1000) },
  )
})

test('message parser: model: a gap damages the counted body that holds it, or loses what a segment does not begin with', () => {
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
        // Inside of a chunk the length is known as well.
        const inChunk = rig.notes.losses.length === 0 && hit < 0
        if (inChunk) assert.ok(rig.notes.messages.some((text) => text.startsWith('!')))
        else assert.deepEqual(rig.notes.messages, expected)
        assert.deepEqual(rig.notes.losses, hit < 0 && !inChunk ? [REASON_GAP] : [])
      },
    ),
    { numRuns: propertyRuns(600) },
  )
})

test('message parser: a body that ends with the stream is complete after a FIN, and cut short without one', () => {
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

test('message parser: a chunked body lacks no more than the empty line where the server has closed behind its last chunk', () => {
  const { wire } = chunked('HTTP/1.1 200 OK', 'abc', [3])
  const upTo = wire.indexOf('0\r\nX') + '0\r\n'.length
  const rig = new Rig(true).data(wire.slice(0, upTo)).end(true, REASON_CLOSED)
  assert.equal(rig.notes.messages.length, 1)
  const inTrailer = new Rig(true).data(wire.slice(0, upTo + 2)).end(true, REASON_CLOSED)
  assert.deepEqual(inTrailer.notes.messages, [])
})

test('message parser: a head over its limit, or over what the pool holds, is lost, and its memory freed', () => {
  const long = `GET / HTTP/1.1\r\nX: ${'x'.repeat(600)}`
  const oversize = new Rig(false, 700).data(long).data(long)
  assert.deepEqual(
    [oversize.notes.losses, oversize.stream.state, oversize.cells.usedBytes],
    [[REASON_OVERSIZE], SEEK, 0],
  )
  oversize.data('GET /next HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.equal(oversize.notes.messages.length, 1)
  const full = new Rig(false, 1 << 20).data(`${long}${'x'.repeat(10_000)}`)
  full.data('x'.repeat(10_000))
  assert.deepEqual([full.notes.losses, full.stream.state, full.cells.usedBytes], [[REASON_EVICTED], SEEK, 0])
})
