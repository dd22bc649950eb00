/**
 * Writes a pair's `capture` map (its node, interface, vantage and mesh) and the header of its flags. The bytes are
 * encoded once per interface and vantage; only `forwarded`, of pairs from behind a mesh's proxy, and `proxyProtocol` differ.
 */
import type { InterfaceInfo } from '../../target/interface-info.ts'
import type { Arena } from '../memory/arena.ts'
import type { Flow } from '../tcp/flow.ts'
import type { ForwardedWriter } from './forwarded.ts'
import { fixmap, key, template } from './templates.ts'

/** Indexed by `Flow.vantage`; the first is replaced by the interface's own vantage. */
const VANTAGES = ['', 'server', 'client', 'host'] as const

const CAPTURE = key('capture')
const FORWARDED = key('forwarded')
const PROXY_PROTOCOL = key('proxyProtocol')
/** Follows the map: an empty array. */
const FLAGS = template(key('flags'), [0x90])

export class CaptureMaps {
  readonly #bytes: Uint8Array
  readonly #forwarded: ForwardedWriter
  /** Indexed by interface id, then vantage. */
  readonly #maps: Uint8Array[][] = []
  /** Indexed likewise: whether requests arrive through a mesh's proxy. */
  readonly #behindProxy: boolean[][] = []
  readonly #node: Uint8Array

  constructor(arena: Arena, forwarded: ForwardedWriter, node: string) {
    this.#bytes = arena.bytes
    this.#forwarded = forwarded
    this.#node = text(node)
  }

  addInterface(id: number, { name, vantage, mesh }: InterfaceInfo): void {
    const vantages = VANTAGES.map((seen) => (seen === '' ? vantage : seen))
    this.#behindProxy[id] = vantages.map((seen) => mesh !== null && seen === 'server')
    this.#maps[id] = vantages.map((seen) =>
      template(
        CAPTURE,
        fixmap(4),
        key('node'),
        this.#node,
        key('interface'),
        text(name),
        key('vantage'),
        text(seen),
        key('mesh'),
        mesh === null ? [0xc0] : text(mesh),
        FLAGS,
      ),
    )
  }

  /**
   * Writes the map, followed by one byte: the header of an empty array of flags.
   *
   * @param request address of the encoded request
   * @returns the address after it
   */
  write(to: number, flow: Flow, request: number): number {
    const map = this.#maps[flow.interfaceId][flow.vantage]
    this.#bytes.set(map, to)
    let at = to + map.length
    if (this.#behindProxy[flow.interfaceId][flow.vantage]) at = this.#addForwarded(to, at, request)
    return flow.proxied === null ? at : this.#addProxied(to, at, flow.proxied)
  }

  /** Inserts `forwarded` between the map and the flags, if the request has such fields. @returns the address after it */
  #addForwarded(map: number, end: number, request: number): number {
    const value = end - FLAGS.length + FORWARDED.length
    const after = this.#forwarded.write(value, request)
    return after === value ? end : this.#added(FORWARDED, map, value, after)
  }

  /** Inserts the endpoints that a PROXY head names likewise. */
  #addProxied(map: number, end: number, endpoints: Uint8Array): number {
    const value = end - FLAGS.length + PROXY_PROTOCOL.length
    this.#bytes.set(endpoints, value)
    return this.#added(PROXY_PROTOCOL, map, value, value + endpoints.length)
  }

  /** Completes a map that has a value more, written at [value, after): its key, the map's header, and the flags. */
  #added(name: Uint8Array, map: number, value: number, after: number): number {
    const bytes = this.#bytes
    bytes[map + CAPTURE.length]++
    bytes.set(name, value - name.length)
    bytes.set(FLAGS, after)
    return after + FLAGS.length
  }
}

/** A string, cut at 64 KiB, with a str 8 or str 16 header. */
function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value).subarray(0, 65_535)
  return template(bytes.length < 256 ? [0xd9, bytes.length] : [0xda, bytes.length >>> 8, bytes.length & 255], bytes)
}
