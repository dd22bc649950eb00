import { align8 } from '../../ring/layout.ts'
import { type HeadScanner, loadHeadScanner } from '../head-scanner/head-scanner.ts'
import { RESULTS_AT, RESULTS_BYTES, SCANNER_END } from '../head-scanner/layout.ts'

/**
 * All bytes an assembler works on live in one memory, so an address is a plain number, one pair of views serves every
 * module, no copy makes a view object, and the head scanner reaches everything.
 *
 *     0           4096      input               heads            scratch              ends            pool              end
 *     +-----------+---------+-------------------+----------------+--------------------+---------------+------------------+
 *     | templates | scanner | block from a ring | head made whole| pair being written | ends of flows | blocks that hold |
 *     +-----------+---------+-------------------+----------------+--------------------+---------------+------------------+
 *
 * The operating system backs pages when they are first touched, so a large pool costs nothing until it is used.
 * Loops over words read and write up to 15 bytes past a range; every region ends in slack for that.
 */
export class Arena {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly headScanner: HeadScanner
  /** Results of the head scanner, by word. */
  readonly results: Int32Array
  readonly input: number
  readonly inputBytes: number
  readonly heads: number
  readonly scratch: number
  readonly scratchBytes: number
  readonly ends: number
  readonly pool: number
  readonly poolBytes: number
  #template = 0

  /** @param inputBytes, headBytes, scratchBytes, poolBytes sizes of the regions; together below 2 GiB */
  constructor(inputBytes: number, headBytes: number, scratchBytes: number, poolBytes: number) {
    this.input = SCANNER_END
    this.inputBytes = inputBytes
    this.heads = align8(this.input + inputBytes + SLACK_BYTES)
    this.scratch = align8(this.heads + headBytes + SLACK_BYTES)
    this.scratchBytes = scratchBytes
    this.ends = align8(this.scratch + scratchBytes + SLACK_BYTES)
    this.pool = align8(this.ends + ENDS_SLOTS * ENDS_SLOT_BYTES + SLACK_BYTES)
    this.poolBytes = poolBytes
    const pages = Math.ceil((this.pool + poolBytes + SLACK_BYTES) / PAGE_BYTES)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    this.bytes = new Uint8Array(memory.buffer)
    this.view = new DataView(memory.buffer)
    this.headScanner = loadHeadScanner(memory)
    this.results = new Int32Array(memory.buffer, RESULTS_AT, RESULTS_BYTES / 4)
  }

  /** Removes all templates. */
  clear(): void {
    this.#template = 0
  }

  /** Copies `length` bytes; may overwrite up to 15 bytes after the target range. Ranges below 97 bytes must not overlap. */
  copy(to: number, from: number, length: number): void {
    if (length > WORD_LOOP_BYTES) this.headScanner.copy(to, from, length)
    else copyWords(this.view, to, from, length)
  }

  /**
   * Stores constant bytes until `clear`. Start-up only.
   *
   * @returns their address
   * @throws RangeError when the region is full, which is a programming error: the set of templates is fixed
   */
  addTemplate(content: Uint8Array): number {
    const at = this.#template
    if (at + content.length + 16 > TEMPLATE_BYTES) throw new RangeError('template region is full')
    this.bytes.set(content, at)
    this.#template = align8(at + content.length + 16)
    return at
  }
}

/**
 * Copies by words, 16 bytes an iteration: most strings need one, so that no branch is mispredicted.
 * Overwrites up to 15 bytes after the target range, 16 where `length` is 0. The ranges must not overlap.
 */
export function copyWords(view: DataView, to: number, from: number, length: number): void {
  let i = 0
  do {
    view.setInt32(to + i, view.getInt32(from + i, true), true)
    view.setInt32(to + i + 4, view.getInt32(from + i + 4, true), true)
    view.setInt32(to + i + 8, view.getInt32(from + i + 8, true), true)
    view.setInt32(to + i + 12, view.getInt32(from + i + 12, true), true)
    i += 16
  } while (i < length)
}

const TEMPLATE_BYTES = RESULTS_AT
/** WebAssembly's. */
const PAGE_BYTES = 65_536
const SLACK_BYTES = 64
/** Slots that hold the ends of connections as pairs name them (encode/ends.ts), and the bytes of one. */
export const ENDS_SLOTS = 2048
export const ENDS_SLOT_BYTES = 176
/** Up to this length a loop over words is faster than a call (measured). */
const WORD_LOOP_BYTES = 96
