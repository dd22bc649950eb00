/** Makes up requests and responses with unique targets, whose bodies often look like messages. */
import type { Random } from './random.ts'

export interface Message {
  readonly startLine: string
  readonly fields: [string, string][]
  readonly body: Buffer
  /** As sent: with the chunk framing. */
  readonly bytes: Buffer
}

/** Messages inside bodies, which were not sent as messages. */
export const IMPOSTORS = [
  'GET /nobody HTTP/1.1\r\nHost: nobody\r\n\r\n',
  'POST /nobody HTTP/1.1\r\nHost: nobody\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nnobody!',
]

/** The messages of one conversation. */
export class MadeUpMessages {
  readonly #random: Random
  readonly #name: string
  #number = 0

  /** @param name part of the targets */
  constructor(random: Random, name: string) {
    this.#random = random
    this.#name = name
  }

  request(method: string, extra: [string, string][] = []): Message {
    const target = this.target(method)
    const fields: [string, string][] = [['Host', 'api'], ...extra]
    // An upgrade that the server does not accept.
    if (this.#random.oneIn(12)) fields.push(['Connection', 'Upgrade'], ['Upgrade', 'websocket'])
    if (this.#random.oneIn(4)) fields.push(['Cookie', 'k='.padEnd(this.#random.below(900), 'v')])
    const hasBody = method === 'POST' || method === 'PUT'
    return this.message(`${method} ${target} HTTP/1.1`, fields, hasBody ? this.content(4000) : null)
  }

  /** A unique target, in each of the forms that a server accepts (RFC 9112 §3.2). */
  target(method: string): string {
    const name = `${this.#name}/${this.#number++}`
    if (method === 'CONNECT') return `${name.replace('/', '-')}:443`
    return this.#random.oneIn(10) ? `http://api:80/${name}?q=HTTP/1.1` : `/${name}`
  }

  responseTo(request: Message, last = false): Message {
    const random = this.#random
    const [method = ''] = request.startLine.split(' ')
    const status = random.pick([200, 200, 200, 200, 201, 204, 304, 404, 500])
    const fields: [string, string][] = [['X-Answers', request.startLine]]
    if (last) fields.push(['Connection', 'close'])
    // In a response to HEAD and in a 304, the length is that of a body that is not sent (RFC 9110 §8.6).
    const bodiless = method === 'HEAD' || status === 204 || status === 304
    if (bodiless && status !== 204 && random.oneIn(2)) {
      fields.push(random.oneIn(3) ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', '512'])
    }
    const body = bodiless ? null : this.content(random.oneIn(10) ? 20_000 : 3000)
    return this.message(`HTTP/1.1 ${status} Text`, fields, body)
  }

  /** A message with a body of known length, or in chunks. @param body null: no body, and no field that announces it */
  message(startLine: string, fields: [string, string][], body: Buffer | null): Message {
    if (body === null || this.#random.below(3) > 0) return message(startLine, fields, body)
    const all: [string, string][] = [...fields, ['Transfer-Encoding', 'chunked']]
    const head = message(startLine, all, null)
    return { ...head, body, bytes: Buffer.concat([head.bytes, this.#chunks(body)]) }
  }

  #chunks(body: Buffer): Buffer {
    const random = this.#random
    const parts: Buffer[] = []
    for (let at = 0; at < body.length; ) {
      const size = random.between(1, Math.max(1, body.length >> 1))
      const chunk = body.subarray(at, at + size)
      const extension = random.oneIn(8) ? ';name=value' : ''
      parts.push(Buffer.from(`${chunk.length.toString(16)}${extension}\r\n`), chunk, Buffer.from('\r\n'))
      at += size
    }
    parts.push(Buffer.from(random.oneIn(6) ? '0\r\nX-Trailer: value\r\n\r\n' : '0\r\n\r\n'))
    return Buffer.concat(parts)
  }

  /** A body, often with the text of messages in it. */
  content(longest: number): Buffer {
    const random = this.#random
    if (random.oneIn(12)) return Buffer.alloc(0)
    const parts: Buffer[] = [this.noise(longest)]
    while (random.oneIn(3)) parts.push(Buffer.from(random.pick(IMPOSTORS)), this.noise(longest >> 2))
    return Buffer.concat(parts)
  }

  noise(longest: number): Buffer {
    const length = this.#random.between(1, longest)
    const first = this.#random.below(26)
    return Buffer.from(Uint8Array.from({ length }, (_, i) => 97 + ((first + i) % 26)))
  }
}

/** A message with a body of known length, or without one. */
export function message(startLine: string, fields: [string, string][], body: Buffer | null): Message {
  const all: [string, string][] = body === null ? fields : [...fields, ['Content-Length', `${body.length}`]]
  const head = Buffer.from(
    `${startLine}\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
    'latin1',
  )
  return {
    startLine,
    fields: all,
    body: body ?? Buffer.alloc(0),
    bytes: body === null ? head : Buffer.concat([head, body]),
  }
}
