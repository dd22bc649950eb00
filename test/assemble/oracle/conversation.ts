/**
 * Generates conversations of HTTP/1 as real clients and servers have them, with the exchanges that they complete:
 * keep-alive and pipelining; HEAD, 204, 304, interim responses, Expect, CONNECT and upgrades; bodies of known length,
 * in chunks, or up to the close; connections that are closed, half-closed, reset or left open.
 *
 * Every target is unique, and bodies contain text that looks like messages, also at the beginning of segments: an
 * assembler that loses sync and guesses emits wrong pairs, which the tests detect.
 */
import { RST, type Segment, TcpScript } from '../../support/tcp-script.ts'
import { IMPOSTORS, MadeUpMessages, type Message, message } from './made-up-messages.ts'
import type { Random } from './random.ts'
import { digest, type Exchange, fieldsText } from './reference.ts'

export interface Conversation {
  /** Part of its targets. */
  readonly name: string
  readonly segments: readonly Segment[]
  /** The exchanges of which both sides sent every byte, in order. */
  readonly exchanges: readonly SizedExchange[]
  /** Both sides frame all messages as they are. A body that a client leaves out needs knowledge that the bytes do not have. */
  readonly isRegular: boolean
  /**
   * The client may look like one that always has several requests outstanding: seen midstream, its numbers are those of a client that
   * does not pipeline (docs/pairing.md).
   */
  readonly isDeceptive: boolean
  /** The next sequence numbers, and the packet time. */
  readonly next: Numbers
  readonly endMicros: number
}

export interface SizedExchange extends Exchange {
  /** Bytes of both messages as sent. */
  readonly requestBytes: number
  readonly responseBytes: number
  /** It may be left out even of a complete capture: docs/pairing.md has the reason. */
  readonly isDoubtful: boolean
  /** Only the order of both sides' segments shows that it is an exchange. */
  readonly isDelicate: boolean
}

interface Numbers {
  readonly client: number
  readonly server: number
}

const H = 'H'.charCodeAt(0)

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

const initialNumbers = (random: Random): Numbers => ({ client: initialNumber(random), server: initialNumber(random) })

/** Often so that the numbers wrap, or change their sign, within the conversation. */
const initialNumber = (random: Random): number =>
  random.oneIn(3) ? (random.pick([2 ** 31, 2 ** 32]) - random.below(20_000)) >>> 0 : random.below(2 ** 32)

/** Initial numbers of systems that increase them over time for each address and port (RFC 6528 §3). */
const numbersAfter = (random: Random, { next }: Conversation): Numbers => ({
  client: next.client + random.between(1, 200_000),
  server: next.server + random.between(1, 200_000),
})

class Conversing {
  readonly #random: Random
  readonly #name: string
  readonly #script: TcpScript
  readonly #messages: MadeUpMessages
  readonly #exchanges: SizedExchange[] = []
  #isRegular = true
  /** A request was sent before the response to the one before it. */
  #hasOverlapped = false
  /** From here on sequence numbers prove nothing. */
  #isUnprovable = false
  /** From here on order proves nothing. */
  #hasRefused = false
  #inTunnel = false
  #over = false

  constructor(random: Random, name: string, startMicros: number, initial: Numbers) {
    this.#random = random
    this.#name = name
    this.#messages = new MadeUpMessages(random, name)
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
      else if (random.oneIn(8)) this.#overlapping(random.between(2, 5))
      else this.#exchange(i === rounds - 1)
      if (random.oneIn(25)) this.#strayReset()
      if (random.oneIn(25)) this.#strayData()
      if (random.oneIn(12)) this.#probe()
    }
    if (!this.#over) this.#close()
    const next = { client: this.#script.next('client'), server: this.#script.next('server') }
    return {
      name: this.#name,
      segments: this.#script.segments,
      exchanges: this.#exchanges,
      isRegular: this.#isRegular,
      isDeceptive: this.#hasOverlapped,
      next,
      endMicros: this.#script.micros,
    }
  }

  #exchange(last: boolean): void {
    const random = this.#random
    const kind = random.below(50)
    if (kind === 0) this.#tunnel('CONNECT', 200)
    else if (kind === 1) this.#tunnel('GET', 101)
    else if (kind < 5) this.#expecting()
    else if (kind === 6) this.#answeredEarly()
    else if (kind === 7 && last && !this.#hasRefused) this.#timedOut()
    else if (kind === 5 && last) this.#toClose()
    else if (kind === 8) this.#tunnelRefused()
    else if (kind === 9) this.#expectationRefused()
    else if (kind === 10 && last) this.#cutShort()
    else if (kind === 11 && last) this.#halfClosed()
    else if (kind === 12 && last) this.#uploadRefused()
    else if (kind === 13 && last) this.#httpInTunnel()
    else if (kind === 14 && last) this.#version10()
    else {
      const request = this.#messages.request(
        random.pick(['GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']),
      )
      this.#script.client(request.bytes)
      this.#respond(request)
    }
  }

  #pipelined(count: number): void {
    this.#isUnprovable = true
    const requests = Array.from({ length: count }, () =>
      this.#messages.request(this.#random.pick(['GET', 'GET', 'HEAD', 'POST'])),
    )
    if (this.#random.oneIn(2)) this.#script.client(Buffer.concat(requests.map(({ bytes }) => bytes)))
    else for (const { bytes } of requests) this.#script.client(bytes)
    const answered = this.#random.oneIn(6) ? this.#random.below(count) : count
    for (const [i, request] of requests.slice(0, answered).entries()) {
      this.#respond(request, i === answered - 1 && answered < count)
    }
    if (answered < count) this.#closeByServer()
  }

  /** Each further request is sent while the response before it arrives, or within what the client has not acknowledged yet. */
  #overlapping(count: number): void {
    this.#isUnprovable = true
    this.#hasOverlapped = true
    const random = this.#random
    const requests = Array.from({ length: count }, () =>
      this.#messages.request(random.pick(['GET', 'GET', 'HEAD', 'POST', 'PUT'])),
    )
    const responses = requests.map((request) => this.#messages.responseTo(request))
    for (const [i, request] of requests.entries()) this.#record(request, responses[i])
    let sent = 0
    let answered = 0
    const send = (): void => {
      if (sent < count) this.#script.client(requests[sent++].bytes)
    }
    send()
    while (answered < sent) {
      let { bytes } = responses[answered]
      while (random.oneIn(2) && bytes.length > 1) {
        // A body with the text of a response right where the next request is acknowledged reads like that response.
        let at = random.between(1, bytes.length - 1)
        while (at > 1 && bytes[at] === H) at--
        this.#script.server(bytes.subarray(0, at))
        bytes = bytes.subarray(at)
        send()
      }
      this.#script.server(bytes)
      answered++
      if (answered === sent || random.oneIn(3)) send()
    }
  }

  /** A proxy refuses a CONNECT, and the connection goes on. */
  #tunnelRefused(): void {
    const request = this.#messages.request('CONNECT')
    this.#script.client(request.bytes)
    const fields: [string, string][] = [
      ['X-Answers', request.startLine],
      ['Proxy-Authenticate', 'Basic'],
    ]
    this.#answer(request, this.#messages.message('HTTP/1.1 407 Text', fields, this.#messages.content(500)))
  }

  /** The client leaves the body out, and the connection goes on: this exchange has no complete request. */
  #expectationRefused(): void {
    const request = message(
      `POST ${this.#messages.target('POST')} HTTP/1.1`,
      [
        ['Host', 'api'],
        ['Expect', '100-continue'],
      ],
      this.#messages.noise(4000),
    )
    this.#script.client(request.bytes.subarray(0, request.bytes.length - request.body.length))
    this.#script.server(
      message('HTTP/1.1 417 Text', [['X-Answers', request.startLine]], this.#messages.content(300)).bytes,
    )
    this.#isRegular = false
    this.#hasRefused = true
  }

  /** The connection ends within a response, or within its last chunk. */
  #cutShort(): void {
    const request = this.#messages.request('GET')
    const { bytes, body } = this.#messages.message(
      'HTTP/1.1 200 OK',
      [['X-Answers', request.startLine]],
      this.#messages.noise(3000),
    )
    const head = bytes.indexOf('\r\n\r\n') + 4
    const isChunked = bytes.length > head + body.length
    const end = bytes.length - (isChunked ? 6 : 1)
    this.#script.client(request.bytes).server(bytes.subarray(0, this.#random.between(Math.min(head, end), end)))
    if (this.#random.oneIn(3)) this.#script.reset('server')
    else this.#closeByServer()
    this.#over = true
  }

  /** The client closes its side with the request, or right after it, and reads the response. */
  #halfClosed(): void {
    const request = this.#messages.request(this.#random.pick(['GET', 'POST', 'HEAD']))
    this.#script.client(request.bytes)
    if (this.#random.oneIn(2)) this.#script.finWithData('client').ack('server')
    else this.#script.fin('client').ack('server')
    this.#respond(request, true)
    this.#script.fin('server').ack('client')
    this.#over = true
  }

  /** The server responds to the head of an upload and closes; the client sends some more of it and gets a RST. */
  #uploadRefused(): void {
    const request = message(
      `PUT ${this.#messages.target('PUT')} HTTP/1.1`,
      [['Host', 'api']],
      this.#messages.content(8000),
    )
    if (request.body.length < 2) return
    const head = request.bytes.length - request.body.length
    const sent = head + this.#random.below(request.body.length - 1)
    this.#script.client(request.bytes.subarray(0, sent))
    const fields: [string, string][] = [
      ['X-Answers', request.startLine],
      ['Connection', 'close'],
    ]
    this.#script.server(message('HTTP/1.1 413 Text', fields, this.#messages.content(300)).bytes)
    if (this.#random.oneIn(2)) this.#script.fin('server')
    this.#script.client(request.bytes.subarray(sent, this.#random.between(sent, request.bytes.length - 1)))
    this.#script.reset('server')
    this.#over = true
    this.#isRegular = false
  }

  /** A tunnel that carries HTTP: another connection within this one. */
  #httpInTunnel(): void {
    const request = this.#messages.request('CONNECT')
    this.#script.client(request.bytes)
    this.#answer(request, message('HTTP/1.1 200 Established', [['X-Answers', request.startLine]], null))
    this.#isRegular = false
    this.#inTunnel = true
    for (let i = this.#random.between(1, 4); i > 0; i--) {
      const inner = this.#messages.request(this.#random.pick(['GET', 'HEAD', 'POST']))
      this.#script.client(inner.bytes)
      this.#respond(inner)
    }
    this.#over = true
    this.#script.close()
  }

  /** HTTP/1.0: a response that the close ends, with a length or without. */
  #version10(): void {
    const fields: [string, string][] = this.#random.oneIn(2) ? [['Host', 'api']] : []
    const request = message(`GET ${this.#messages.target('GET')} HTTP/1.0`, fields, null)
    const body = this.#messages.content(2000)
    const head = message('HTTP/1.0 200 OK', [['X-Answers', request.startLine]], this.#random.oneIn(2) ? body : null)
    const response = { ...head, body, bytes: head.body.length > 0 ? head.bytes : Buffer.concat([head.bytes, body]) }
    this.#script.client(request.bytes)
    this.#answer(request, response)
    this.#closeByServer()
  }

  /** The server closes, announced or not: further requests stay unanswered. */
  #closeByServer(): void {
    this.#script.fin('server').fin('client').ack('server')
    this.#over = true
  }

  /** The client waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1). */
  #expecting(): void {
    const request = this.#messages.request('POST', [['Expect', '100-continue']])
    const head = request.bytes.indexOf('\r\n\r\n') + 4
    this.#script.client(request.bytes.subarray(0, head))
    this.#script.server('HTTP/1.1 100 Continue\r\n\r\n')
    this.#script.client(request.bytes.subarray(head))
    this.#respond(request)
  }

  /** The server responds before the request has ended, and the client sends the rest. */
  #answeredEarly(): void {
    const request = message(
      `POST ${this.#messages.target('POST')} HTTP/1.1`,
      [['Host', 'api']],
      this.#messages.noise(4000),
    )
    const head = request.bytes.length - this.#random.between(1, request.body.length)
    this.#script.client(request.bytes.subarray(0, head))
    this.#isUnprovable ||= this.#hasRefused
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
    const request = this.#messages.request(method, status === 101 ? [['Upgrade', 'echo']] : [])
    this.#script.client(request.bytes)
    this.#answer(request, message(`HTTP/1.1 ${status} OK`, [['X-Answers', request.startLine]], null))
    for (let i = this.#random.below(4); i > 0; i--)
      this.#script.send(i % 2 ? 'client' : 'server', this.#messages.noise(300))
    this.#over = true
    this.#script.close()
  }

  /** The server's close ends the body. */
  #toClose(): void {
    const request = this.#messages.request('GET')
    const body = this.#messages.content(3000)
    const head = message('HTTP/1.1 200 OK', [['X-Answers', request.startLine]], null)
    this.#script.client(request.bytes).server(Buffer.concat([head.bytes, body]))
    if (this.#random.oneIn(3)) this.#script.reset('server')
    else {
      if (this.#random.oneIn(2)) this.#closeByServer()
      else this.#script.finWithData('server').ack('client').fin('client').ack('server')
      this.#record(request, { ...head, body, bytes: Buffer.concat([head.bytes, body]) })
    }
    this.#over = true
  }

  /** @param last the server announces that it closes the connection after this response */
  #respond(request: Message, last = false): void {
    const random = this.#random
    for (let interims = random.oneIn(8) ? random.between(1, 3) : 0; interims > 0; interims--) {
      const interim = random.pick(['102 Processing', '103 Early Hints', '100 Continue'])
      this.#script.server(`HTTP/1.1 ${interim}\r\nLink: </style.css>\r\n\r\n`)
    }
    this.#answer(request, this.#messages.responseTo(request, last))
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
      requestBytes: request.bytes.length,
      responseBytes: response.bytes.length,
      isDoubtful: this.#hasRefused && this.#isUnprovable,
      isDelicate: this.#hasRefused || this.#inTunnel,
    })
  }

  /** A RST that its receiver ignores. */
  #strayReset(): void {
    const random = this.#random
    const side = random.pick(['client', 'server'] as const)
    const seq = (this.#script.next(side) + random.pick([1, 7, 1460, 100_000, -1, -50])) >>> 0
    this.#script.stray(side, { flags: RST, seq })
  }

  /** A segment far outside of the receiver's window, which drops it: of an older connection, or forged. */
  #strayData(): void {
    const random = this.#random
    const side = random.pick(['client', 'server'] as const)
    const seq = (this.#script.next(side) + random.pick([-1, 1]) * random.between(2 ** 27, 2 ** 31 - 1)) >>> 0
    this.#script.stray(side, { seq, payload: Buffer.from(random.pick(IMPOSTORS)) })
  }

  /** A keep-alive probe (RFC 9293 §3.8.4) and its acknowledgement. */
  #probe(): void {
    const side = this.#random.pick(['client', 'server'] as const)
    const seq = (this.#script.next(side) - 1) >>> 0
    this.#script.stray(side, { seq })
    this.#script.ack(side === 'client' ? 'server' : 'client')
  }

  #close(): void {
    const random = this.#random
    const how = random.below(8)
    if (how === 0) this.#script.reset(random.pick(['client', 'server'] as const))
    else if (how === 1) this.#script.fin('client').ack('server')
    else if (how < 6) this.#script.close()
  }
}
