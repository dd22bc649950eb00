/**
 * The end of a pair: its `capture` map, which says where and from whose side it was seen, and the beginning of its flags.
 * Made once for each interface and vantage; only a pair from behind a mesh's proxy has a part of its own, `forwarded`.
 */
import type { InterfaceInfo } from '../../target/interface-info.ts'
import type { Arena } from '../memory/arena.ts'
import type { Flow } from '../tcp/flow.ts'
import type { ForwardedWriter } from './forwarded.ts'
import { fixmap, key, template } from './templates.ts'

/** By `Flow.vantage`; the first is the interface's own. */
const VANTAGES = ['', 'server', 'client', 'host'] as const

const CAPTURE = key('capture')
const FORWARDED = key('forwarded')
/** Behind the map. */
const FLAGS = template(key('flags'), [0x90])

export class CaptureMaps {
  readonly #bytes: Uint8Array
  readonly #forwarded: ForwardedWriter
  /** By interface id, then vantage. */
  readonly #maps: Uint8Array[][] = []
  /** Likewise: whether requests have come through a mesh's proxy. */
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
   * Writes the map and the header of an array without flags, its last byte.
   *
   * @param request address of the laid request
   * @returns the address after it
   */
  write(to: number, flow: Flow, request: number): number {
    const map = this.#maps[flow.interfaceId][flow.vantage]
    this.#bytes.set(map, to)
    const at = to + map.length
    return this.#behindProxy[flow.interfaceId][flow.vantage] ? this.#addForwarded(to, at, request) : at
  }

  /** Adds a key to the map, in front of the flags, where the request has what it is made of. */
  #addForwarded(map: number, end: number, request: number): number {
    const bytes = this.#bytes
    const to = end - FLAGS.length
    const fields = to + FORWARDED.length
    const after = this.#forwarded.write(fields, request)
    if (after === fields) return end
    bytes[map + CAPTURE.length]++
    bytes.set(FORWARDED, to)
    bytes.set(FLAGS, after)
    return after + FLAGS.length
  }
}

/** A string of up to 64 KiB, always with a header for a long one. */
function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value).subarray(0, 65_535)
  return template(bytes.length < 256 ? [0xd9, bytes.length] : [0xda, bytes.length >>> 8, bytes.length & 255], bytes)
}
