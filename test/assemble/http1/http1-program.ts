/** Parts of the HTTP half of the assembler's program (test/assemble/core/programs/http1.ts). */
import { readFileSync } from 'node:fs'
import { CODING, CONTENT_LENGTH, RESULTS_AT, STATUS } from '../../../src/assemble/core/head/layout.ts'

const PAGES = 8
const SLABS_AT = 8192
const RECORDS_AT = 16_384
const RECORDS = 64
/** The record of the only flow. */
const FLOW_AT = 98_304
/** Where a test writes input. */
const INPUT_AT = 131_072

/** `MessageStream.state` (src/assemble/core/http1/stream-states.ts). */
export const SEEK = 0
export const HEAD = 1
export const HEAD_PART = 2
export const CHUNK_DATA = 7
export const CHUNK_DATA_END = 8
export const TRAILERS = 9
/** No reason for doubt. */
export const NO_DOUBT = -128
/** Instead of a number of bytes (src/assemble/core/http1/message-length.ts). */
export const BODY_CHUNKED = -1
export const BODY_TO_CLOSE = -2
export const BODY_UNKNOWABLE = -3

/** The program's exports. Connections, streams and exchanges are addresses; flags are 0 or 1. */
interface Exports {
  open(slabs: number, start: number, records: number): void
  setTime(micros: number, clock: number): void
  makeConnection(): number
  requests(connection: number): number
  responses(connection: number): number
  makeExchange(connection: number): number
  waitingMicros(exchange: number): number
  beginProgress(stream: number): number
  stateOf(stream: number): number
  setState(stream: number, state: number): void
  remainingOf(stream: number): number
  setRemaining(stream: number, remaining: number): void
  setPartialBytes(stream: number, bytes: number): void
  expectChunked(stream: number): void
  readChunkFraming(stream: number, at: number, end: number): number
  startDeadline(exchange: number, micros: number): void
  stopDeadline(exchange: number): void
  longestWaiting(): number
  noteOpen(stream: number): void
  forgetOpen(stream: number): void
  oldestOpen(): number
  openBytes(): number
  overdueOpen(pauseMicros: number): number
  opensTunnel(method: number): number
  requestBodyOf(): number
  responseBodyOf(method: number): number
  makeFlow(at: number, lossy: number): number
  setFlow(connection: number, flow: number): void
  setExchange(exchange: number, endSeq: number, contested: number, unconfirmed: number, closes: number): void
  setAbandoned(exchange: number, reason: number): void
  waits(exchange: number): number
  setFirst(connection: number, exchange: number, ack: number): void
  confirming(connection: number): number
  contested(connection: number): number
  isPipelining(connection: number): number
  responseDoubt(connection: number): number
  conclude(exchange: number): void
  completeAbandoned(exchange: number, isResponse: number): void
  checkContestedEnd(connection: number, seq: number): void
  reject(connection: number): void
  resolve(connection: number, ack: number): void
  refute(connection: number): void
  settleMatch(connection: number, closed: number): void
  doubt(connection: number, reason: number): void
  readonly NOT_CHUNKED: { value: number }
  readonly LONGEST_SECTION: { value: number }
}

const program = new WebAssembly.Module(readFileSync(new URL('./http1.wasm', import.meta.url)))

/** The functions that the program calls to end exchanges. */
export interface Outcomes {
  emit(exchange: number): void
  abandon(exchange: number, reason: number): void
  settle(exchange: number): void
}

const NO_OUTCOMES: Outcomes = { emit: () => {}, abandon: () => {}, settle: () => {} }

export class Http1Program {
  readonly exports: Exports
  readonly #bytes: Uint8Array
  readonly #view: DataView

  constructor(outcomes = NO_OUTCOMES) {
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES })
    const { emit, abandon, settle } = outcomes
    const imports = { emit, abandon, settle }
    const { exports } = new WebAssembly.Instance(program, { env: { memory }, outcomes: imports })
    this.exports = exports as unknown as Exports
    this.#bytes = new Uint8Array(memory.buffer)
    this.#view = new DataView(memory.buffer)
    this.begin()
  }

  /** Frees all records. */
  begin(): void {
    this.exports.open(SLABS_AT, RECORDS_AT, RECORDS)
  }

  /** A connection of a flow whose client sends on stream 0. @param lossy whether bytes of it were lost */
  connection(lossy = false): number {
    const { exports } = this
    const connection = exports.makeConnection()
    exports.setFlow(connection, exports.makeFlow(FLOW_AT, Number(lossy)))
    return connection
  }

  /** Writes bytes. @returns their address */
  put(content: Uint8Array): number {
    this.#bytes.set(content, INPUT_AT)
    return INPUT_AT
  }

  /** Simulates that a head with these values was scanned last. */
  head(status: number, contentLength: number, coding: number): void {
    this.#view.setInt32(RESULTS_AT + STATUS, status, true)
    this.#view.setFloat64(RESULTS_AT + CONTENT_LENGTH, contentLength, true)
    this.#view.setInt32(RESULTS_AT + CODING, coding, true)
  }
}
