/**
 * Writes a whole pair (docs/pair.md) to the arena's scratch region: the keys up to the client's address, which stay
 * there from pair to pair and are patched in place, then both endpoints, both messages, the capture map and the flags.
 */
import type { InterfaceInfo } from '../../target/interface-info.ts'
import {
  ANOMALY_FOLDED,
  ANOMALY_INCOMPLETE,
  ANOMALY_LENGTH_IGNORED,
  ANOMALY_MALFORMED_FIELD,
} from '../head-scanner/layout.ts'
import type { Exchange, MessageRecord } from '../http1/connection.ts'
import type { Arena } from '../memory/arena.ts'
import type { BlockPool } from '../memory/block-pool.ts'
import { ENDPOINTS_BYTES } from '../preamble/proxy-head.ts'
import { type Direction, type Flow, TUNNEL_NONE } from '../tcp/flow.ts'
import type { FlowTable } from '../tcp/flow-table.ts'
import type { Vantages } from '../vantage/vantage.ts'
import { CaptureMaps } from './capture-maps.ts'
import { Ends } from './ends.ts'
import { FORWARDED_BYTES, ForwardedWriter } from './forwarded.ts'
import { BODY_LENGTH, type MessageWriter } from './message-writer.ts'
import { fixmap, key, type Template, template, uint } from './templates.ts'

/** The values of a pair's `flags`. */
const FLAG_NAMES = {
  midstream: 'midstream',
  early: 'earlyResponse',
  folded: 'obsFold',
  malformed: 'malformedHeader',
  lengthIgnored: 'contentLengthIgnored',
  tunnel: 'tunnel',
  incomplete: 'incompleteResponse',
} as const

const TIME = (name: string): Uint8Array => template(key(name), uint(0, 8))
const ID = template(fixmap(12), key('v'), [1], key('id'), [0xd9, 32])
const TIMES = ['requestStartMicros', 'requestEndMicros', 'responseStartMicros', 'responseEndMicros'].map(TIME)
const PREFIX = template(ID, new Uint8Array(32), ...TIMES, key('client'))
/** Offsets in the prefix: the id's digits, and each time's value. */
const ID_AT = ID.length
const TIME_AT = TIMES.map((_, i) => ID.length + 32 + TIMES.slice(0, i + 1).reduce((sum, t) => sum + t.length, 0) - 8)
const [REQUEST_START_AT = 0, REQUEST_END_AT = 0, RESPONSE_START_AT = 0, RESPONSE_END_AT = 0] = TIME_AT

/** Offset in the scratch region, behind the prefix, at which a message may be encoded before it is stored. */
export const STAGE_AT = 256
const TWO_TO_32 = 4_294_967_296

export class PairWriter {
  readonly #arena: Arena
  readonly #view: DataView
  readonly #pool: BlockPool
  readonly #flows: FlowTable
  readonly #messages: MessageWriter
  readonly #vantages: Vantages
  readonly #ends: Ends
  readonly #captures: CaptureMaps
  /** Address of the current pair's request. */
  #request = 0
  readonly #flagTemplates: readonly [number, Template][]
  readonly #midstream: Template
  readonly #early: Template
  readonly #tunnel: Template

  constructor(
    arena: Arena,
    pool: BlockPool,
    flows: FlowTable,
    messages: MessageWriter,
    vantages: Vantages,
    node: string,
  ) {
    this.#arena = arena
    this.#view = arena.view
    this.#pool = pool
    this.#flows = flows
    this.#messages = messages
    this.#vantages = vantages
    this.#ends = new Ends(arena, flows)
    this.#captures = new CaptureMaps(arena, new ForwardedWriter(arena, messages), node)
    const keep = (name: string): Template => {
      const content = key(name)
      return { at: arena.addTemplate(content), length: content.length }
    }
    this.#midstream = keep(FLAG_NAMES.midstream)
    this.#early = keep(FLAG_NAMES.early)
    this.#tunnel = keep(FLAG_NAMES.tunnel)
    this.#flagTemplates = [
      [ANOMALY_FOLDED, keep(FLAG_NAMES.folded)],
      [ANOMALY_MALFORMED_FIELD, keep(FLAG_NAMES.malformed)],
      [ANOMALY_LENGTH_IGNORED, keep(FLAG_NAMES.lengthIgnored)],
      [ANOMALY_INCOMPLETE, keep(FLAG_NAMES.incomplete)],
    ]
    arena.bytes.set(PREFIX, arena.scratch)
  }

  /** Encodes the `capture` maps of an interface. */
  addInterface(id: number, info: InterfaceInfo): void {
    this.#captures.addInterface(id, info)
  }

  /** Writes everything before the request. @returns the address after it */
  begin(exchange: Exchange, flow: Flow): number {
    const start = this.#arena.scratch
    const { request, response } = exchange
    const { headScanner } = this.#arena
    headScanner.writeId(start + ID_AT, request.digest1, request.digest2, response.digest1, response.digest2)
    // The four times usually have the same upper half. Doubles hold microseconds exactly until the year 2255.
    const view = this.#view
    const high = Math.floor(request.startMicros / TWO_TO_32)
    const base = high * TWO_TO_32
    view.setUint32(start + REQUEST_START_AT, high)
    view.setUint32(start + REQUEST_START_AT + 4, request.startMicros - base)
    writeTime(view, start + REQUEST_END_AT, high, base, request.endMicros)
    writeTime(view, start + RESPONSE_START_AT, high, base, response.startMicros)
    writeTime(view, start + RESPONSE_END_AT, high, base, response.endMicros)
    this.#vantages.name(flow)
    this.#request = this.#ends.write(start + PREFIX.length, flow)
    return this.#request
  }

  /** Appends a message stored in the pool. @returns the address after it */
  stored(to: number, record: MessageRecord): number {
    this.#pool.copyOut(record.chain, to)
    const end = to + record.chain.length
    this.#view.setUint32(end - record.bodyBytes - BODY_LENGTH, record.bodyBytes)
    return this.#messages.tail(end, record.bodyBytes, record.wireBytes)
  }

  /**
   * Appends the response that is being parsed: the scanner still holds its head, and its body is at `bodyStart`, length
   * `record.bodyBytes`.
   *
   * @returns the address after it
   */
  responseInPlace(to: number, record: MessageRecord, bodyStart: number): number {
    const body = this.#messages.head(to, true)
    this.#arena.copy(body, bodyStart, record.bodyBytes)
    this.#view.setUint32(body - BODY_LENGTH, record.bodyBytes)
    return this.#messages.tail(body + record.bodyBytes, record.bodyBytes, record.wireBytes)
  }

  /** Completes the pair. @returns its end; its start is that of the scratch region */
  finish(to: number, exchange: Exchange, flow: Flow): number {
    const at = this.#captures.write(to, flow, this.#request)
    const anomalies = exchange.request.anomalies | exchange.response.anomalies
    const isPlain = !flow.midstream && !exchange.early && anomalies === 0 && flow.tunnel === TUNNEL_NONE
    return isPlain ? at : this.#flags(at, flow, exchange.early, anomalies)
  }

  /** A hash of the server endpoint's address and port, for partitioning. */
  serverHash(flow: Flow, server: Direction): number {
    const flows = this.#flows
    let hash = flows.port(flow, server)
    for (let i = 0; i < 4; i++) hash = Math.imul(hash ^ flows.addressWord(flow, server, i), 0x9e3779b1)
    return hash ^ (hash >>> 15)
  }

  /** Writes the flags at `to`, and their number into the array header before it. */
  #flags(to: number, flow: Flow, early: boolean, anomalies: number): number {
    let at = to
    let flags = 0
    if (flow.midstream) {
      at = this.#put(this.#midstream, at)
      flags++
    }
    if (early) {
      at = this.#put(this.#early, at)
      flags++
    }
    if (flow.tunnel !== TUNNEL_NONE) {
      at = this.#put(this.#tunnel, at)
      flags++
    }
    for (const [bit, name] of this.#flagTemplates) {
      if ((anomalies & bit) === 0) continue
      at = this.#put(name, at)
      flags++
    }
    this.#arena.bytes[to - 1] = 0x90 | flags
    return at
  }

  #put(part: Template, to: number): number {
    this.#arena.copy(to, part.at, part.length)
    return to + part.length
  }
}

/** Writes a time as uint64. @param high, base upper half of a time near this one, and that half times 2^32 */
function writeTime(view: DataView, to: number, high: number, base: number, micros: number): void {
  const low = micros - base
  if (low >= 0 && low < TWO_TO_32) {
    view.setUint32(to, high)
    view.setUint32(to + 4, low)
    return
  }
  const other = Math.floor(micros / TWO_TO_32)
  view.setUint32(to, other)
  view.setUint32(to + 4, micros - other * TWO_TO_32)
}

/**
 * Upper bound of a pair's bytes without its messages: prefix, endpoints with their pods, capture with its names, flags.
 */
export const PAIR_FRAME_BYTES = 2048 + 2 * 65_536 + 2 * 65_536 + FORWARDED_BYTES + ENDPOINTS_BYTES
