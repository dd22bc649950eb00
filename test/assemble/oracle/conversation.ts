/**
 * Generates conversations of HTTP/1 as real clients and servers have them, with the exchanges that they complete:
 * keep-alive and pipelining; HEAD, 204, 304, interim responses, Expect, CONNECT and upgrades; bodies of known length,
 * in chunks, or up to the close; connections that are closed, half-closed, reset or left open.
 *
 * Every target is unique, and bodies contain text that looks like messages, also at the beginning of segments: an
 * assembler that loses sync and guesses emits wrong pairs, which the tests detect.
 */
import { RST, type Segment, TcpScript } from '../../support/tcp-script.ts'
import type { Random } from './random.ts'
import { digest, type Exchange, fieldsText } from './reference.ts'

export interface Conversation {
  readonly segments: readonly Segment[]
  /** The exchanges of which both sides sent every byte, in order. */
  readonly exchanges: readonly Exchange[]
  /** The next sequence numbers, and the packet time. */
  readonly next: Numbers
  readonly endMicros: number
}

interface Numbers {
  readonly client: number
  readonly server: number
}

interface Message {
  readonly startLine: string
  readonly fields: [string, string][]
  readonly body: Buffer
  /** As sent: with the chunk framing. */
  readonly bytes: Buffer
}

/** Messages inside bodies, which were not sent as messages. */
const IMPOSTORS = [
  'GET /nobody HTTP/1.1\r\nHost: nobody\r\n\r\n',
  'POST /nobody HTTP/1.1\r\nHost: nobody\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nnobody!',
]

/**
 * One connection, or up to three on the same addresses and ports, one after the other.
 *
 * @param name unique text of the conversation, part of its targets
 */
export function converse(random: Random, name: string, startMicros: number): Conversation[] {
  const first = new Conversing(random, name, startMicros, initialNumbers(random)).run()
  const parts = [first]
  while (parts.length < 3 && random.oneIn(parts.length === 1 ? 8 : 3)) {
    const before = parts[parts.length - 1]
    const next = random.oneIn(2) ? numbersAfter(random, before) : initialNumbers(random)
    parts.push(new Conversing(random, `${name}${'-abc'[parts.length]}`, before.endMicros + 100, next).run())
  }
  return parts
}

const initialNumbers = (random: Random): Numbers => ({ client: random.below(2 ** 32), server: random.below(2 ** 32) })

/** Initial numbers of systems that increase them over time for each address and port (RFC 6528 §3). */
const numbersAfter = (random: Random, { next }: Conversation): Numbers => ({
  client: next.client + random.between(1, 200_000),
  server: next.server + random.between(1, 200_000),
})

class Conversing {
  readonly #random: Random
  readonly #name: string
  readonly #script: TcpScript
  readonly #exchanges: Exchange[] = []
  #number = 0
  #over = false

  constructor(random: Random, name: string, startMicros: number, initial: Numbers) {
    this.#random = random
    this.#name = name
    this.#script = new TcpScript({
      clientIsn: initial.client,
      serverIsn: initial.server,
      segmentBytes: random.pick([40, 200, 536, 1448, 1448, 9000]),
      bareAcks: random.below(3) > 0,
      startMicros,
      stepMicros: random.pick([20, 100, 700]),
    })
  }

  run(): Conversation {
    const random = this.#random
    this.#script.handshake()
    const rounds = random.between(1, 8)
    for (let i = 0; i < rounds && !this.#over; i++) {
      if (random.oneIn(6)) this.#pipelined(random.between(2, 5))
      else this.#exchange(i === rounds - 1)
      if (random.oneIn(25)) this.#strayReset()
    }
    if (!this.#over) this.#close()
    const next = { client: this.#script.next('client'), server: this.#script.next('server') }
    return { segments: this.#script.segments, exchanges: this.#exchanges, next, endMicros: this.#script.micros }
  }

  #exchange(last: boolean): void {
    const random = this.#random
    const kind = random.below(40)
    if (kind === 0) this.#tunnel('CONNECT', 200)
    else if (kind === 1) this.#tunnel('GET', 101)
    else if (kind < 5) this.#expecting()
    else if (kind === 6) this.#answeredEarly()
    else if (kind === 7 && last) this.#timedOut()
    else if (kind === 5 && last) this.#toClose()
    else {
      const request = this.#request(random.pick(['GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']))
      this.#script.client(request.bytes)
      this.#respond(request)
    }
  }

  #pipelined(count: number): void {
    const requests = Array.from({ length: count }, () =>
      this.#request(this.#random.pick(['GET', 'GET', 'HEAD', 'POST'])),
    )
    if (this.#random.oneIn(2)) this.#script.client(Buffer.concat(requests.map(({ bytes }) => bytes)))
    else for (const { bytes } of requests) this.#script.client(bytes)
    const answered = this.#random.oneIn(6) ? this.#random.below(count) : count
    for (const [i, request] of requests.slice(0, answered).entries()) {
      this.#respond(request, i === answered - 1 && answered < count)
    }
    if (answered < count) this.#closeByServer()
  }

  /** The server closes, announced or not: further requests stay unanswered. */
  #closeByServer(): void {
    this.#script.fin('server').fin('client').ack('server')
    this.#over = true
  }

  /** The client waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1). */
  #expecting(): void {
    const request = this.#request('POST', [['Expect', '100-continue']])
    const head = request.bytes.indexOf('\r\n\r\n') + 4
    this.#script.client(request.bytes.subarray(0, head))
    this.#script.server('HTTP/1.1 100 Continue\r\n\r\n')
    this.#script.client(request.bytes.subarray(head))
    this.#respond(request)
  }

  /** The server responds before the request has ended, and the client sends the rest. */
  #answeredEarly(): void {
    const request = message(`POST ${this.#target('POST')} HTTP/1.1`, [['Host', 'api']], this.#noise(4000))
    const head = request.bytes.length - this.#random.between(1, request.body.length)
    this.#script.client(request.bytes.subarray(0, head))
    this.#respond(request)
    this.#script.client(request.bytes.subarray(head))
  }

  /** The server closes an idle connection with a response that answers nothing (RFC 9110 §15.5.9). */
  #timedOut(): void {
    this.#script.server('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    this.#closeByServer()
  }

  /** The connection carries something else afterwards. */
  #tunnel(method: string, status: number): void {
    const request = this.#request(method, status === 101 ? [['Upgrade', 'echo']] : [])
    this.#script.client(request.bytes)
    this.#answer(request, message(`HTTP/1.1 ${status} OK`, [['X-Answers', request.startLine]], null))
    for (let i = this.#random.below(4); i > 0; i--) this.#script.send(i % 2 ? 'client' : 'server', this.#noise(300))
    this.#over = true
    this.#script.close()
  }

  /** The server's close ends the body. */
  #toClose(): void {
    const request = this.#request('GET')
    const body = this.#content(3000)
    const head = message('HTTP/1.1 200 OK', [['X-Answers', request.startLine]], null)
    this.#script.client(request.bytes).server(Buffer.concat([head.bytes, body]))
    if (this.#random.oneIn(3)) this.#script.reset('server')
    else {
      if (this.#random.oneIn(2)) this.#closeByServer()
      else this.#script.finWithData('server').ack('client').fin('client').ack('server')
      this.#record(request, { ...head, body })
    }
    this.#over = true
  }

  #request(method: string, extra: [string, string][] = []): Message {
    const target = this.#target(method)
    const fields: [string, string][] = [['Host', 'api'], ...extra]
    // An upgrade that the server does not accept.
    if (this.#random.oneIn(12)) fields.push(['Connection', 'Upgrade'], ['Upgrade', 'websocket'])
    if (this.#random.oneIn(4)) fields.push(['Cookie', 'k='.padEnd(this.#random.below(900), 'v')])
    const hasBody = method === 'POST' || method === 'PUT'
    return this.#message(`${method} ${target} HTTP/1.1`, fields, hasBody ? this.#content(4000) : null)
  }

  /** A unique target, in each of the forms that a server accepts (RFC 9112 §3.2). */
  #target(method: string): string {
    const name = `${this.#name}/${this.#number++}`
    if (method === 'CONNECT') return `${name.replace('/', '-')}:443`
    return this.#random.oneIn(10) ? `http://api:80/${name}?q=HTTP/1.1` : `/${name}`
  }

  /** @param last the server announces that it closes the connection after this response */
  #respond(request: Message, last = false): void {
    const random = this.#random
    const [method = ''] = request.startLine.split(' ')
    for (let interims = random.oneIn(8) ? random.between(1, 3) : 0; interims > 0; interims--) {
      const interim = random.pick(['102 Processing', '103 Early Hints', '100 Continue'])
      this.#script.server(`HTTP/1.1 ${interim}\r\nLink: </style.css>\r\n\r\n`)
    }
    const status = random.pick([200, 200, 200, 200, 201, 204, 304, 404, 500])
    const fields: [string, string][] = [['X-Answers', request.startLine]]
    if (last) fields.push(['Connection', 'close'])
    // In a response to HEAD and in a 304, the length is that of a body that is not sent (RFC 9110 §8.6).
    const bodiless = method === 'HEAD' || status === 204 || status === 304
    if (bodiless && status !== 204 && random.oneIn(2)) fields.push(['Content-Length', '512'])
    const body = bodiless ? null : this.#content(random.oneIn(10) ? 20_000 : 3000)
    this.#answer(request, this.#message(`HTTP/1.1 ${status} Text`, fields, body))
  }

  #answer(request: Message, response: Message): void {
    this.#script.server(response.bytes)
    this.#record(request, response)
  }

  #record(request: Message, response: Message): void {
    const [method = '', target = ''] = request.startLine.split(' ')
    this.#exchanges.push({
      method,
      target,
      status: Number(response.startLine.split(' ')[1]),
      requestFields: fieldsText(request.fields),
      responseFields: fieldsText(response.fields),
      requestBody: digest(request.body),
      responseBody: digest(response.body),
    })
  }

  /** A message with a body of known length, or in chunks. @param body null: no body, and no field that announces it */
  #message(startLine: string, fields: [string, string][], body: Buffer | null): Message {
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
  #content(longest: number): Buffer {
    const random = this.#random
    if (random.oneIn(12)) return Buffer.alloc(0)
    const parts: Buffer[] = [this.#noise(longest)]
    while (random.oneIn(3)) parts.push(Buffer.from(random.pick(IMPOSTORS)), this.#noise(longest >> 2))
    return Buffer.concat(parts)
  }

  #noise(longest: number): Buffer {
    const length = this.#random.between(1, longest)
    const first = this.#random.below(26)
    return Buffer.from(Uint8Array.from({ length }, (_, i) => 97 + ((first + i) % 26)))
  }

  /** A RST that its receiver ignores. */
  #strayReset(): void {
    const random = this.#random
    const side = random.pick(['client', 'server'] as const)
    const seq = (this.#script.next(side) + random.pick([1, 7, 1460, 100_000, -1, -50])) >>> 0
    this.#script.stray(side, { flags: RST, seq })
  }

  #close(): void {
    const random = this.#random
    const how = random.below(8)
    if (how === 0) this.#script.reset(random.pick(['client', 'server'] as const))
    else if (how === 1) this.#script.fin('client').ack('server')
    else if (how < 6) this.#script.close()
  }
}

function message(startLine: string, fields: [string, string][], body: Buffer | null): Message {
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
