/**
 * Good exchanges during a flood: a request every few steps of the flood, and its response in two parts some steps
 * later.
 */
import { Connection } from './connection.ts'
import type { Random } from './random.ts'
import type { TraceWriter } from './trace-writer.ts'

/** Numbers of its connections, which no flood uses. */
const FIRST_CONNECTION = 10_000_000
const CONNECTIONS = 50
/** Exchanges after which a connection is closed and another one opened. */
const EXCHANGES = 20
/** Requests that wait for their responses at the same time. */
const WAITING = 25
const NOTHING = Buffer.alloc(0)

interface Client {
  connection: Connection
  /** Exchanges before it reconnects. */
  exchanges: number
  /** What is left of its response. */
  rest: Buffer
}

export class Trickle {
  /** Pairs so far. */
  pairs = 0
  readonly #writer: TraceWriter
  readonly #random: Random
  readonly #every: number
  readonly #clients: Client[]
  readonly #waiting: Client[] = []
  #steps = 0
  #opened = 0

  /** @param every steps between two requests */
  constructor(writer: TraceWriter, random: Random, every: number) {
    this.#writer = writer
    this.#random = random
    this.#every = every
    this.#clients = Array.from({ length: CONNECTIONS }, () => this.#connect())
  }

  /** The flood has sent something. */
  step(): void {
    if (++this.#steps % this.#every !== 0) return
    const client = this.#clients[(this.#steps / this.#every) % CONNECTIONS]
    client.connection.send('client', Buffer.from(`GET /good/${this.pairs++} HTTP/1.1\r\nHost: good\r\n\r\n`), 0)
    this.#waiting.push(client)
    if (this.#waiting.length > WAITING / 2) this.#begin(this.#waiting[this.#waiting.length - 1 - (WAITING >> 1)])
    if (this.#waiting.length > WAITING) this.#finish()
  }

  /** The responses to all requests that wait. */
  end(): void {
    while (this.#waiting.length > 0) this.#finish()
  }

  /** The first part of a response. */
  #begin(client: Client): void {
    const body = JSON.stringify({ good: client.exchanges, text: 'x'.repeat(300) })
    const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
    const response = Buffer.from(head + body)
    client.connection.send('server', response.subarray(0, head.length + 50), 0)
    client.rest = response.subarray(head.length + 50)
  }

  #finish(): void {
    const client = this.#waiting.shift()
    if (client === undefined) return
    if (client.rest.length === 0) this.#begin(client)
    client.connection.send('server', client.rest, 0)
    client.rest = NOTHING
    if (--client.exchanges > 0) return
    client.connection.close()
    Object.assign(client, this.#connect())
  }

  #connect(): Client {
    const connection = new Connection(this.#writer, this.#random, FIRST_CONNECTION + this.#opened++)
    return { connection, exchanges: EXCHANGES, rest: NOTHING }
  }
}
