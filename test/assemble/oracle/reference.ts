/**
 * A slow, simple assembler, written from RFC 9293 and RFC 9112 and independent of `src/`: sorts and overlays the
 * segments of a connection, cuts the streams into messages, and pairs them in order. It is the oracle for captures
 * without loss; it does not decide what a loss leaves provable.
 *
 * It reads one connection at a time, whose client is known, and stops where a stream is incomplete, invalid, or becomes
 * another protocol.
 */
import { createHash } from 'node:crypto'
import { FIN, RST, type Segment, SYN } from '../../support/tcp-script.ts'

/** The compared parts of an exchange: everything that the assembler must not mix up. */
export interface Exchange {
  method: string
  target: string
  status: number
  /** Name and value of each field, in order. */
  requestFields: string
  responseFields: string
  /** Digest of the body without chunk framing. */
  requestBody: string
  responseBody: string
}

/** A text that identifies an exchange. */
export const keyOf = (exchange: Exchange): string =>
  [
    exchange.method,
    exchange.target,
    exchange.status,
    exchange.requestFields,
    exchange.responseFields,
    exchange.requestBody,
    exchange.responseBody,
  ].join('|')

export const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 16)

export const fieldsText = (fields: readonly (readonly [string, string])[]): string =>
  fields.map(([name, value]) => `${name}: ${value}`).join('\n')

/** The exchanges that were completed on a connection of which every byte was captured, in any order and any number of times. */
export function referenceExchanges(segments: readonly Segment[]): Exchange[] {
  const requests = new Messages(streamOf(segments, true))
  const responses = new Messages(streamOf(segments, false))
  const exchanges: Exchange[] = []
  for (;;) {
    const request = requests.request()
    if (request === null) return exchanges
    const response = responses.response(request.method)
    if (response === null) return exchanges
    exchanges.push({
      method: request.method,
      target: request.target,
      status: response.status,
      requestFields: fieldsText(request.fields),
      responseFields: fieldsText(response.fields),
      requestBody: digest(request.body),
      responseBody: digest(response.body),
    })
    if (response.status === 101 || (request.method === 'CONNECT' && response.status < 300)) return exchanges
  }
}

interface ByteStream {
  readonly bytes: Buffer
  /** Ended by a FIN right behind the bytes. */
  readonly ended: boolean
}

/** Overlays the payloads of one side in the order they were captured: the first copy of a byte wins (RFC 9293 §3.4). */
function streamOf(segments: readonly Segment[], fromClient: boolean): ByteStream {
  const own = segments.filter((segment) => segment.fromClient === fromClient && (segment.flags & RST) === 0)
  const syn = own.find(({ flags }) => (flags & SYN) !== 0)
  if (syn === undefined) return { bytes: Buffer.alloc(0), ended: false }
  const first = syn.seq + 1
  const offset = ({ seq, flags }: Segment): number => (seq + ((flags & SYN) !== 0 ? 1 : 0) - first) | 0
  const end = Math.max(0, ...own.map((segment) => offset(segment) + segment.payload.length))
  const bytes = Buffer.alloc(end)
  const known = new Uint8Array(end)
  const fins = new Set<number>()
  for (const segment of own) {
    const at = offset(segment)
    for (const [i, byte] of segment.payload.entries()) {
      if (at + i < 0 || known[at + i] === 1) continue
      bytes[at + i] = byte
      known[at + i] = 1
    }
    if ((segment.flags & FIN) !== 0) fins.add(at + segment.payload.length)
  }
  const missing = known.indexOf(0)
  const length = missing < 0 ? end : missing
  return { bytes: bytes.subarray(0, length), ended: fins.has(length) }
}

interface Message {
  fields: [string, string][]
  body: Buffer
}

/** Thrown inside this file where the stream does not hold the whole message. */
class Incomplete extends Error {}

/** Reads consecutive messages from a stream (RFC 9112 §2 to §7). */
class Messages {
  readonly #bytes: Buffer
  readonly #ended: boolean
  #at = 0

  constructor({ bytes, ended }: ByteStream) {
    this.#bytes = bytes
    this.#ended = ended
  }

  request(): (Message & { method: string; target: string }) | null {
    return this.#whole(() => {
      const [method = '', target = ''] = this.#startLine().split(' ')
      const fields = this.#fields()
      return { method, target, fields, body: this.#body(fields, 0) }
    })
  }

  /** The final response; earlier ones with a status of 1xx other than 101 are skipped (RFC 9110 §15.2). */
  response(method: string): (Message & { status: number }) | null {
    return this.#whole(() => {
      for (;;) {
        const status = Number(this.#startLine().split(' ')[1])
        const fields = this.#fields()
        if (status < 200 && status !== 101) continue
        const tunnel = status === 101 || (method === 'CONNECT' && status < 300)
        const bodiless = tunnel || method === 'HEAD' || status === 204 || status === 304
        return { status, fields, body: bodiless ? Buffer.alloc(0) : this.#body(fields, null) }
      }
    })
  }

  #whole<T>(read: () => T): T | null {
    try {
      return read()
    } catch (error) {
      if (error instanceof Incomplete) return null
      throw error
    }
  }

  /** RFC 9112 §6.3. @param absent the length where no field announces one; null: up to the end of the stream */
  #body(fields: readonly (readonly [string, string])[], absent: number | null): Buffer {
    const value = (name: string): string | undefined => fields.find(([n]) => n.toLowerCase() === name)?.[1]
    if (value('transfer-encoding') === 'chunked') return this.#chunks()
    const length = value('content-length')
    if (length !== undefined) return this.#take(Number(length))
    if (absent !== null) return this.#take(absent)
    if (!this.#ended) throw new Incomplete()
    return this.#take(this.#bytes.length - this.#at)
  }

  /** RFC 9112 §7.1: chunks, the last of size 0, a trailer section. */
  #chunks(): Buffer {
    const chunks: Buffer[] = []
    for (;;) {
      const size = Number.parseInt(this.#line(), 16)
      if (size === 0) break
      chunks.push(this.#take(size))
      this.#line()
    }
    while (this.#line() !== '');
    return Buffer.concat(chunks)
  }

  #startLine(): string {
    for (;;) {
      const line = this.#line()
      if (line !== '') return line
    }
  }

  #fields(): [string, string][] {
    const fields: [string, string][] = []
    for (let line = this.#line(); line !== ''; line = this.#line()) {
      const colon = line.indexOf(':')
      fields.push([line.slice(0, colon), line.slice(colon + 1).trim()])
    }
    return fields
  }

  #line(): string {
    const end = this.#bytes.indexOf('\r\n', this.#at)
    if (end < 0) throw new Incomplete()
    const line = this.#bytes.toString('latin1', this.#at, end)
    this.#at = end + 2
    return line
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new Incomplete()
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}
