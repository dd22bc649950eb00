/**
 * The end of a pair: its `capture` map, which says where and from whose side it was seen, and the beginning of its flags.
 * Made once for each interface and vantage.
 */
import type { InterfaceInfo } from '../../interfaces.ts'
import type { Arena } from '../memory/arena.ts'
import type { Flow } from '../tcp/flow.ts'
import { fixmap, key, template } from './templates.ts'

/** By `Flow.vantage`; the first is the interface's own. */
const VANTAGES = ['', 'server', 'client', 'host'] as const

export class CaptureMaps {
  readonly #bytes: Uint8Array
  /** By interface id, then vantage. */
  readonly #maps: Uint8Array[][] = []
  readonly #node: Uint8Array

  constructor(arena: Arena, node: string) {
    this.#bytes = arena.bytes
    this.#node = text(node)
  }

  addInterface(id: number, { name, vantage, mesh }: InterfaceInfo): void {
    this.#maps[id] = VANTAGES.map((seen) =>
      template(
        key('capture'),
        fixmap(4),
        key('node'),
        this.#node,
        key('interface'),
        text(name),
        key('vantage'),
        text(seen === '' ? vantage : seen),
        key('mesh'),
        mesh === null ? [0xc0] : text(mesh),
        key('flags'),
        [0x90],
      ),
    )
  }

  /** Writes the map and the header of an array without flags, its last byte. @returns the address after it */
  write(to: number, flow: Flow): number {
    const map = this.#maps[flow.interfaceId][flow.vantage]
    this.#bytes.set(map, to)
    return to + map.length
  }
}

/** A string of up to 64 KiB, always with a header for a long one. */
function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value).subarray(0, 65_535)
  return template(bytes.length < 256 ? [0xd9, bytes.length] : [0xda, bytes.length >>> 8, bytes.length & 255], bytes)
}
