/**
 * Lays a whole pair (contract, "A pair") in the arena's scratch region: one template with the keys up to the client's
 * address, patched in place, then both ends, both messages, where it was captured, and flags.
 */
import type { InterfaceInfo } from '../../interfaces.ts'
import type { Exchange, MessageRecord } from '../http1/exchange.ts'
import { ANOMALY_FOLDED, ANOMALY_LENGTH_IGNORED, ANOMALY_MALFORMED_FIELD } from '../http1/head.ts'
import type { Arena } from '../memory/arena.ts'
import type { BlockPool } from '../memory/block-pool.ts'
import type { Direction, Flow } from '../tcp/flow.ts'
import type { FlowTable } from '../tcp/flow-table.ts'
import { ADDRESS_BYTES, AddressWriter, hexDigit } from './address-writer.ts'
import { BODY_LENGTH, type MessageWriter } from './message-writer.ts'
import { fixmap, key, type Part, template, uint } from './templates.ts'

/** Flags of a pair, as consumers see them. */
export const FLAG_NAMES = {
  midstream: 'midstream',
  early: 'earlyResponse',
  folded: 'obsFold',
  malformed: 'malformedHeader',
  lengthIgnored: 'contentLengthIgnored',
} as const

interface Template {
  at: number
  length: number
}

const TIME = (name: string): Uint8Array => template(key(name), uint(0, 8))
const ID = template(fixmap(12), key('v'), [1], key('id'), [0xd9, 32])
const TIMES = ['requestStartMicros', 'requestEndMicros', 'responseStartMicros', 'responseEndMicros'].map(TIME)
/** Offsets into the prefix: the id's digits, and each time's value. */
const ID_AT = ID.length
const TIME_AT = TIMES.map((_, i) => ID.length + 32 + TIMES.slice(0, i + 1).reduce((sum, t) => sum + t.length, 0) - 8)

export class PairWriter {
  readonly #arena: Arena
  readonly #pool: BlockPool
  readonly #flows: FlowTable
  readonly #messages: MessageWriter
  readonly #addresses: AddressWriter
  readonly #prefix: Template
  readonly #endpoint: Template
  readonly #port: Template
  readonly #server: Template
  readonly #request: Template
  readonly #response: Template
  readonly #flags: Template
  readonly #flagTemplates: readonly [number, Template][]
  readonly #midstream: Template
  readonly #early: Template
  /** The `capture` map of each interface, by id. */
  readonly #captures: Uint8Array[] = []
  readonly #node: string
  /** The pair's four times on their way into it. */
  readonly #times = new Float64Array(4)

  constructor(arena: Arena, pool: BlockPool, flows: FlowTable, messages: MessageWriter, node: string) {
    this.#arena = arena
    this.#pool = pool
    this.#flows = flows
    this.#messages = messages
    this.#addresses = new AddressWriter(arena)
    this.#node = node
    const keep = (...parts: Part[]): Template => {
      const content = template(...parts)
      return { at: arena.addTemplate(content), length: content.length }
    }
    this.#prefix = keep(ID, new Uint8Array(32), ...TIMES, key('client'))
    this.#endpoint = keep(fixmap(3), key('address'))
    this.#port = keep(key('port'), uint(0, 2), key('pod'), [0xc0])
    this.#server = keep(key('server'))
    this.#request = keep(key('request'))
    this.#response = keep(key('response'))
    this.#flags = keep(key('flags'))
    this.#midstream = keep(key(FLAG_NAMES.midstream))
    this.#early = keep(key(FLAG_NAMES.early))
    this.#flagTemplates = [
      [ANOMALY_FOLDED, keep(key(FLAG_NAMES.folded))],
      [ANOMALY_MALFORMED_FIELD, keep(key(FLAG_NAMES.malformed))],
      [ANOMALY_LENGTH_IGNORED, keep(key(FLAG_NAMES.lengthIgnored))],
    ]
  }

  /** Prepares the `capture` map of an interface. */
  addInterface(id: number, info: InterfaceInfo): void {
    const text = (value: string): Uint8Array => {
      const bytes = new TextEncoder().encode(value)
      return template(
        bytes.length < 256 ? [0xd9, bytes.length] : [0xda, bytes.length >>> 8, bytes.length & 255],
        bytes.subarray(0, 65_535),
      )
    }
    this.#captures[id] = template(
      key('capture'),
      fixmap(4),
      key('node'),
      text(this.#node),
      key('interface'),
      text(info.name),
      key('vantage'),
      text(info.vantage),
      key('mesh'),
      info.mesh === null ? [0xc0] : text(info.mesh),
    )
  }

  /** Starts a pair: everything before the request. @returns the address after it */
  begin(exchange: Exchange, flow: Flow, client: Direction): number {
    const { view } = this.#arena
    const start = this.#arena.scratch
    const { request, response } = exchange
    let at = this.#put(this.#prefix, start)
    this.#word(start + ID_AT, request.digest1)
    this.#word(start + ID_AT + 8, request.digest2)
    this.#word(start + ID_AT + 16, response.digest1)
    this.#word(start + ID_AT + 24, response.digest2)
    const times = this.#times
    times[0] = request.startMicros
    times[1] = request.endMicros
    times[2] = response.startMicros
    times[3] = response.endMicros
    for (let i = 0; i < 4; i++) {
      // A uint64; doubles hold it exactly until the year 2255.
      const high = Math.floor(times[i] / 4_294_967_296)
      view.setUint32(start + TIME_AT[i], high)
      view.setUint32(start + TIME_AT[i] + 4, times[i] - high * 4_294_967_296)
    }
    at = this.#writeEndpoint(at, flow, client)
    at = this.#put(this.#server, at)
    return this.#writeEndpoint(at, flow, (1 - client) as Direction)
  }

  /** Adds the request, which was kept. */
  request(to: number, record: MessageRecord): number {
    return this.#kept(this.#put(this.#request, to), record)
  }

  /** Adds the response, which was kept. */
  response(to: number, record: MessageRecord): number {
    return this.#kept(this.#put(this.#response, to), record)
  }

  /** Adds the response, whose head the scanner still holds and whose body lies at [bodyStart, bodyStart + bodyBytes). */
  responseInPlace(to: number, record: MessageRecord, bodyStart: number, nonAscii: boolean): number {
    const arena = this.#arena
    const body = this.#messages.head(this.#put(this.#response, to), true, nonAscii)
    arena.copy(body, bodyStart, record.bodyBytes)
    arena.view.setUint32(body - BODY_LENGTH, record.bodyBytes)
    return this.#messages.tail(body + record.bodyBytes, record.bodyBytes, record.wireBytes)
  }

  /** Completes the pair. @returns its end; it began at the scratch region's start */
  finish(to: number, exchange: Exchange, flow: Flow): number {
    const arena = this.#arena
    const capture = this.#captures[flow.interfaceId]
    arena.bytes.set(capture, to)
    let at = this.#put(this.#flags, to + capture.length)
    const count = at++
    let flags = 0
    const anomalies = exchange.request.anomalies | exchange.response.anomalies
    if (flow.midstream) {
      at = this.#put(this.#midstream, at)
      flags++
    }
    if (exchange.early) {
      at = this.#put(this.#early, at)
      flags++
    }
    if (anomalies !== 0) {
      for (const [bit, name] of this.#flagTemplates) {
        if ((anomalies & bit) === 0) continue
        at = this.#put(name, at)
        flags++
      }
    }
    arena.bytes[count] = 0x90 | flags
    return at
  }

  /** The same for all connections to one server endpoint; for partitioning. */
  serverHash(flow: Flow, server: Direction): number {
    const flows = this.#flows
    let hash = flows.port(flow, server)
    for (let i = 0; i < 4; i++) hash = Math.imul(hash ^ flows.addressWord(flow, server, i), 0x9e3779b1)
    return hash ^ (hash >>> 15)
  }

  #kept(to: number, record: MessageRecord): number {
    this.#pool.copyOut(record.chain, to)
    const end = to + record.chain.length
    this.#arena.view.setUint32(end - record.bodyBytes - BODY_LENGTH, record.bodyBytes)
    return this.#messages.tail(end, record.bodyBytes, record.wireBytes)
  }

  #writeEndpoint(to: number, flow: Flow, direction: Direction): number {
    const arena = this.#arena
    const flows = this.#flows
    const at = this.#put(this.#endpoint, to)
    // Written behind the header of a short string; only a long IPv6 address takes the longer header, and moves.
    const text = at + 1
    const end = flows.isIpv6(flow)
      ? this.#addresses.ipv6(
          text,
          flows.addressWord(flow, direction, 0),
          flows.addressWord(flow, direction, 1),
          flows.addressWord(flow, direction, 2),
          flows.addressWord(flow, direction, 3),
        )
      : this.#addresses.ipv4(text, flows.addressWord(flow, direction, 0))
    const length = end - text
    if (length >= SHORT_STRING) arena.bytes.copyWithin(text + 1, text, end)
    const start = this.#messages.text.stringHeader(at, length)
    const portAt = start + length
    const after = this.#put(this.#port, portAt)
    arena.view.setUint16(portAt + PORT_VALUE, flows.port(flow, direction))
    return after
  }

  #word(to: number, word: number): void {
    const view = this.#arena.view
    view.setUint16(to, HEX[word >>> 24])
    view.setUint16(to + 2, HEX[(word >>> 16) & 255])
    view.setUint16(to + 4, HEX[(word >>> 8) & 255])
    view.setUint16(to + 6, HEX[word & 255])
  }

  #put(part: Template, to: number): number {
    this.#arena.copy(to, part.at, part.length)
    return to + part.length
  }
}

/** Bytes a pair takes beside its two messages' maps, at most: prefix, ends, capture with its names, flags. */
export const PAIR_FRAME_BYTES = 1024 + 2 * ADDRESS_BYTES + 2 * 65_536

/** Both hexadecimal digits of every byte. */
const HEX = Uint16Array.from({ length: 256 }, (_, byte) => (hexDigit(byte >>> 4) << 8) | hexDigit(byte & 15))

/** Strings from this length on have a header of two bytes. */
const SHORT_STRING = 32

const PORT_VALUE = key('port').length + 1
