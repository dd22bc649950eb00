/**
 * Counts connections, exchanges and pairs a second time, by interface, to explain why a pod has no pairs. A connection costs
 * two increments, an exchange three; a frame costs nothing.
 */
import { ASSEMBLE_COUNTERS } from '../ledger/counters.ts'
import { allocateTraffic, TrafficBlock } from '../ledger/traffic.ts'
import type { Arena } from './memory/arena.ts'
import { protocolName } from './protocol-name.ts'
import { ServerName } from './server-name.ts'

const C = ASSEMBLE_COUNTERS.index

export class InterfaceTraffic {
  readonly #arena: Arena
  readonly #blocks: TrafficBlock[] = []
  /** Counts of interfaces that are not reported, such as those of files. */
  readonly #unread = new TrafficBlock(allocateTraffic())
  readonly #serverName = new ServerName()

  constructor(arena: Arena) {
    this.#arena = arena
  }

  /** Counts the interface in this block from now on. @param shared undefined: its counts are not read */
  count(id: number, shared: SharedArrayBuffer | undefined): void {
    this.#blocks[id] = shared === undefined ? this.#unread : new TrafficBlock(shared)
  }

  /** @param counter index of ASSEMBLE_COUNTERS */
  add(id: number, counter: number): void {
    this.#of(id).counts[counter]++
  }

  /** A connection is not HTTP/1, or is left out. @param at, end the bytes that decided it; empty: none did */
  addOpaque(id: number, counter: number, at: number, end: number): void {
    const block = this.#of(id)
    const { bytes } = this.#arena
    block.counts[counter]++
    if (counter === C.protocolTls) {
      const name = this.#serverName
      if (name.find(bytes, at, end)) block.serverNames.add(bytes, name.start, name.end)
    } else if (counter === C.protocolOther && at < end) {
      const name = protocolName(bytes, at, end)
      if (name !== null) block.protocols.add(name, 0, name.length)
    }
  }

  /** A pair is kept. @param micros packet time of its end */
  addKept(id: number, micros: number): void {
    const block = this.#of(id)
    block.counts[C.pairsKept]++
    block.keepLast(micros)
  }

  #of(id: number): TrafficBlock {
    return this.#blocks[id] ?? this.#unread
  }
}
