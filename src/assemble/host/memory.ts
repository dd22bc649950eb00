/**
 * The memory of the assembler's program: reserves its regions (core/memory/regions.ts has the picture), and stores the bytes
 * that the host provides: the constant parts of pairs, once, and the texts of interfaces and pods, anew whenever one changes.
 */

import { randomFillSync } from 'node:crypto'
import { ASSEMBLE_COUNTERS } from '../../ledger/counters.ts'
import { PLACED_RECORDS_BYTES, type PlaceRegions, type Span, WINDOW_BYTES } from '../../ring/frame-place.ts'
import { MAX_FRAME_BYTES } from '../../ring/layout.ts'
import type { AssemblerOptions } from '../assembler-options.ts'
import { RESULTS_AT, SCANNER_END, TEMPLATES_AT } from '../core/head/layout.ts'
import {
  SIZE_OF_AHEAD,
  SIZE_OF_CONNECTION,
  SIZE_OF_DOUBTS,
  SIZE_OF_ENDS,
  SIZE_OF_EXCHANGE,
  SIZE_OF_EXTRAS,
  SIZE_OF_FLOW,
  SIZE_OF_HASH_KEYS,
  SIZE_OF_INTERFACE,
  SIZE_OF_LISTS,
  SIZE_OF_MESSAGE,
  SIZE_OF_PAGE,
  SIZE_OF_PROGRESS,
  SIZE_OF_RARE_STATE,
  SIZE_OF_SLAB,
  SIZE_OF_TAIL,
} from '../core/record-sizes.ts'
import { pairRoom } from '../encode/pair-room.ts'
import { INTERFACE_IDS, LARGEST_MEMORY_BYTES, type StateBounds } from '../state-bounds.ts'
import { putParts } from './parts.ts'
import type { Address, Program } from './program.ts'

/** A ring is copied in blocks of this size; a larger record is copied alone. */
export const INPUT_BLOCK_BYTES = 64 * 1024
const INPUT_BYTES = MAX_FRAME_BYTES + INPUT_BLOCK_BYTES
/** Pairs of a block, beside the room that one of any size may need. */
const OUTPUT_BYTES = 4 * 1024 * 1024
/** Texts of interfaces and pods. */
const TEXT_BYTES = 4 * 1024 * 1024
/** Texts of rules: far more than a configuration has. */
const RULE_BYTES = 1024 * 1024
const INTERFACE_COUNTERS_BYTES = 1024
/** Exchanges, and messages in progress, that one segment may begin beyond the bound. */
const EXCHANGES_OF_A_SEGMENT = 8192
const MESSAGES_OF_A_SEGMENT = 8
const SLABS = 6
const POOL_PAGE_BYTES = 2048
const CONTENT_TYPE_BYTES = 80
const SLACK_BYTES = 64
const ALIGNMENT = 64
const WASM_PAGE_BYTES = 65_536
/** Bytes of the words of a Layout, in front of those of `Part` (core/layout.ts). */
const LAYOUT_BYTES = 192

export class ProgramMemory {
  readonly memory: WebAssembly.Memory
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Address of the input. */
  readonly input: Address
  /** Where frames are put that are not copied; null: frames come through rings. */
  readonly place: PlaceRegions | null
  /** Address of the output, into which the program writes pairs. */
  readonly output: Address
  /** Counters of all, and of each interface. */
  readonly counts: Float64Array
  readonly #traffic: Address
  readonly #interfaces: Address
  readonly #interfaceBytes: number
  /** One more than the highest id of an interface in use. */
  #interfaceCount = 0
  readonly #layout: Address
  readonly #words: number[]
  readonly #texts: Address
  /** Address of the rules (rule-tables.ts). */
  readonly rules: Address
  readonly ruleBytes = RULE_BYTES
  #template = TEMPLATES_AT
  #text: Address

  /** @param holdsPlace whether frames are put in place, instead of into rings */
  constructor(
    options: AssemblerOptions,
    { connections, exchanges, messages, rareStates }: StateBounds,
    holdsPlace: boolean,
  ) {
    const regions = new Regions(SCANNER_END)
    const buckets = 2 ** Math.ceil(Math.log2(Math.max(2, connections)))
    const exchangeCount = exchanges + EXCHANGES_OF_A_SEGMENT
    const messageCount = messages + MESSAGES_OF_A_SEGMENT
    const room = pairRoom(options)
    this.input = regions.add(INPUT_BYTES)
    this.place = holdsPlace ? placeIn(regions, this.input) : null
    const counts = regions.add(8 * ASSEMBLE_COUNTERS.length)
    this.#traffic = regions.add(INTERFACE_IDS * INTERFACE_COUNTERS_BYTES)
    this.#interfaceBytes = SIZE_OF_INTERFACE
    this.#interfaces = regions.add(INTERFACE_IDS * SIZE_OF_INTERFACE)
    this.#texts = regions.add(TEXT_BYTES)
    this.#text = this.#texts
    this.rules = regions.add(RULE_BYTES)
    this.#layout = regions.add(2 * LAYOUT_BYTES)
    this.output = regions.add(OUTPUT_BYTES + room)
    // In the order of the fields of Layout (core/layout.ts).
    this.#words = [
      counts,
      regions.add(SIZE_OF_HASH_KEYS),
      regions.add(4 * buckets),
      buckets,
      regions.add(SLABS * SIZE_OF_SLAB),
      regions.add(SIZE_OF_LISTS),
      connections,
      regions.add(connections * SIZE_OF_FLOW),
      regions.add(connections * SIZE_OF_TAIL),
      regions.add(connections * SIZE_OF_EXTRAS),
      rareStates,
      regions.add(rareStates * SIZE_OF_RARE_STATE),
      regions.add(connections * SIZE_OF_CONNECTION),
      regions.add(connections * SIZE_OF_DOUBTS),
      messageCount,
      regions.add(messageCount * SIZE_OF_PROGRESS),
      exchangeCount,
      regions.add(exchangeCount * SIZE_OF_EXCHANGE),
      regions.add(exchangeCount * SIZE_OF_MESSAGE),
      this.#interfaces,
      this.#traffic,
      regions.add(options.messageBytes),
      regions.add(SIZE_OF_ENDS),
      regions.add(CONTENT_TYPE_BYTES),
      regions.add(SIZE_OF_AHEAD),
      ...poolWords(regions, options.poolBytes, SIZE_OF_PAGE),
      this.output,
      this.output + OUTPUT_BYTES + room,
      room,
      randomSeed(),
    ]
    this.memory = regions.allocate()
    this.bytes = new Uint8Array(this.memory.buffer)
    this.view = new DataView(this.memory.buffer)
    this.counts = new Float64Array(this.memory.buffer, counts, ASSEMBLE_COUNTERS.length)
    const [, keys = 0] = this.#words
    randomFillSync(this.bytes.subarray(keys, keys + SIZE_OF_HASH_KEYS))
  }

  /** Stores the constant parts and starts the program, which replaces one that has used this memory before. */
  configure(program: Program): void {
    this.counts.fill(0)
    this.bytes.fill(0, this.#traffic, this.#traffic + this.#interfaceCount * INTERFACE_COUNTERS_BYTES)
    this.bytes.fill(0, this.#interfaces, this.#interfaces + this.#interfaceCount * this.#interfaceBytes)
    this.#interfaceCount = 0
    this.#template = TEMPLATES_AT
    this.clearTexts()
    this.#putWords(this.#layout, this.#words)
    this.#putWords(
      this.#layout + LAYOUT_BYTES,
      putParts((content) => this.addTemplate(content)),
    )
    program.configure(this.#layout, this.#layout + LAYOUT_BYTES)
  }

  /** The input, into which ring blocks are copied. */
  get inputBytes(): Uint8Array {
    return this.bytes.subarray(this.input, this.input + INPUT_BYTES)
  }

  /** Reserves the records of an interface. @throws RangeError from INTERFACE_IDS on, which no source of frames uses */
  useInterface(id: number): void {
    if (id >= INTERFACE_IDS) throw new RangeError(`an assembler knows ${INTERFACE_IDS} interfaces at most`)
    this.#interfaceCount = Math.max(this.#interfaceCount, id + 1)
  }

  /** The counters of an interface. */
  interfaceCounts(id: number): Float64Array {
    return new Float64Array(this.memory.buffer, this.#traffic + id * INTERFACE_COUNTERS_BYTES, ASSEMBLE_COUNTERS.length)
  }

  /**
   * Stores constant bytes. Start-up only.
   *
   * @returns their address
   * @throws RangeError when the region is full, which is a programming error: the set of templates is fixed
   */
  addTemplate(content: Uint8Array): Address {
    const at = this.#template
    this.#template = afterCopied(at + content.length)
    if (this.#template > RESULTS_AT) throw new RangeError('template region is full')
    this.bytes.set(content, at)
    return at
  }

  /** Whether texts of this many bytes fit. */
  hasRoom(bytes: number): boolean {
    return afterCopied(this.#text + bytes) <= this.#texts + TEXT_BYTES
  }

  /** Stores a text until `clearTexts`. There is room. @returns its address */
  addText(content: Uint8Array): Address {
    const at = this.#text
    this.bytes.set(content, at)
    this.#text = afterCopied(at + content.length)
    return at
  }

  /** Discards all texts: their addresses are no longer valid. */
  clearTexts(): void {
    this.#text = this.#texts
  }

  #putWords(at: Address, words: readonly number[]): void {
    for (const [i, word] of words.entries()) this.view.setUint32(at + 4 * i, word, true)
  }
}

/** Regions one after the other, from an address on. */
class Regions {
  #next: Address

  constructor(start: Address) {
    this.#next = start
  }

  /** @returns the address of a region of this many bytes */
  add(bytes: number): Address {
    const start = Math.ceil(this.#next / ALIGNMENT) * ALIGNMENT
    this.#next = start + bytes + SLACK_BYTES
    return start
  }

  /** Bytes that further regions may have. */
  get left(): number {
    return LARGEST_MEMORY_BYTES - this.#next
  }

  /**
   * The system provides pages when they are first written. Shared, although one thread uses it: V8 counts other memory as the heap's, and
   * 200 MiB of it as a reason to collect garbage at the start.
   */
  allocate(): WebAssembly.Memory {
    const pages = Math.ceil(this.#next / WASM_PAGE_BYTES)
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
  }
}

/** @param input address of the input, which is free for the spare part: no ring's blocks are copied there */
function placeIn(regions: Regions, input: Address): PlaceRegions {
  const span = (start: Address, bytes: number): Span => ({ start, end: start + bytes })
  return {
    window: span(regions.add(WINDOW_BYTES), WINDOW_BYTES),
    records: span(regions.add(PLACED_RECORDS_BYTES), PLACED_RECORDS_BYTES),
    spare: span(input, INPUT_BYTES),
  }
}

/** The last region, which has what is left: the tables of its pages, the pages, and their number. */
function poolWords(regions: Regions, poolBytes: number, tableBytes: number): number[] {
  const largest = Math.floor(regions.left / (POOL_PAGE_BYTES + tableBytes)) - 1
  const pages = Math.min(largest, Math.floor(poolBytes / POOL_PAGE_BYTES))
  return [regions.add(pages * tableBytes), regions.add(ALIGNMENT), regions.add(pages * POOL_PAGE_BYTES), pages]
}

/** The first address behind bytes that are copied in steps of 16, aligned to 8. */
const afterCopied = (end: Address): Address => (end + 16 + 7) & ~7

/** Any number but 0 below 2^31. */
const randomSeed = (): number => 1 + Math.floor(Math.random() * (2 ** 31 - 1))
