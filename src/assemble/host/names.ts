/**
 * Encoded names in the program's memory: the pods at a connection's ends, and the `capture` maps of interfaces. A name
 * is stored when a pair first needs it. A change of any name, or a lack of room, empties the region, and names are
 * stored again as pairs need them.
 */

import type { InterfaceInfo } from '../../target/interface-info.ts'
import { fixmap, key, template } from '../encode/templates.ts'
import type { HostFlow } from './host-flow.ts'
import type { ProgramMemory } from './memory.ts'
import { CAPTURE, NO_FLAGS } from './parts.ts'
import type { Address, Program } from './program.ts'

/** Indexed by `Flow.vantage`; the first is replaced by the interface's own vantage. */
const VANTAGES = ['', 'server', 'client', 'host'] as const
/** In front of a pod's bytes: how many they are. */
const LENGTH_BYTES = 4
/** A pod with more bytes, nearly all of them labels, is not named: pairs have no room for it. */
const MOST_POD_BYTES = 65_536
/** Most that alignment adds to each text. */
const SLACK_BYTES = 32

interface CaptureMap {
  readonly bytes: Uint8Array
  readonly behindProxy: boolean
}

export class Names {
  readonly #memory: ProgramMemory
  readonly #program: Program
  readonly #node: Uint8Array
  /** The `capture` maps, indexed by interface id, then by vantage. */
  readonly #maps: (readonly CaptureMap[])[] = []
  /** Addresses of the pods that were stored since the last change. */
  readonly #pods = new Map<Uint8Array, Address>()
  /** Texts of an earlier version are no longer stored. */
  #version = 0

  constructor(memory: ProgramMemory, program: Program, node: string) {
    this.#memory = memory
    this.#program = program
    this.#node = text(node)
    this.change()
  }

  /** Adds an interface, or replaces what is known of it. */
  addInterface(id: number, { name, vantage, mesh }: InterfaceInfo): void {
    this.#maps[id] = VANTAGES.map((given) => {
      const seen = given === '' ? vantage : given
      return { bytes: this.#captureMap(name, seen, mesh), behindProxy: mesh !== null && seen === 'server' }
    })
    this.change()
  }

  /** The name of an end may have changed. */
  change(): void {
    this.#version++
    this.#memory.clearTexts()
    this.#pods.clear()
    this.#program.setNamesVersion(this.#version)
  }

  /** Stores the maps of an interface. */
  storeMaps(id: number): void {
    const maps = this.#maps[id] ?? []
    this.#provideRoom(maps.map(({ bytes }) => bytes.length))
    for (const [vantage, { bytes, behindProxy }] of maps.entries()) {
      this.#program.setMap(id, vantage, this.#memory.addText(bytes), bytes.length, behindProxy ? 1 : 0)
    }
  }

  /** Stores the pods at the ends of a flow. */
  storePods({ at, clientPod, serverPod }: HostFlow): void {
    this.#provideRoom([clientPod?.length ?? 0, serverPod?.length ?? 0])
    this.#program.setFlowPods(at, this.#addressOf(clientPod), this.#addressOf(serverPod))
  }

  /** @param lengths of texts that are stored next; together a small part of the region */
  #provideRoom(lengths: readonly number[]): void {
    const bytes = lengths.reduce((sum, length) => sum + LENGTH_BYTES + length + SLACK_BYTES, 0)
    if (!this.#memory.hasRoom(bytes)) this.change()
  }

  #addressOf(pod: Uint8Array | null): Address {
    if (pod === null || pod.length > MOST_POD_BYTES) return 0
    let at = this.#pods.get(pod)
    if (at === undefined) {
      const length = new DataView(new ArrayBuffer(LENGTH_BYTES))
      length.setUint32(0, pod.length, true)
      at = this.#memory.addText(template(new Uint8Array(length.buffer), pod))
      this.#pods.set(pod, at)
    }
    return at
  }

  #captureMap(name: string, vantage: string, mesh: string | null): Uint8Array {
    return template(
      CAPTURE,
      fixmap(4),
      key('node'),
      this.#node,
      key('interface'),
      text(name),
      key('vantage'),
      text(vantage),
      key('mesh'),
      mesh === null ? [0xc0] : text(mesh),
      NO_FLAGS,
    )
  }
}

/** A string, cut at 64 KiB, with a str 8 or str 16 header. */
function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value).subarray(0, 65_535)
  return template(bytes.length < 256 ? [0xd9, bytes.length] : [0xda, bytes.length >>> 8, bytes.length & 255], bytes)
}
