/**
 * The pool and the lists of the assembler's program alone (src/assemble/core/memory), with one region for input and one
 * for output.
 */
import { readFileSync } from 'node:fs'

const WASM_PAGE_BYTES = 65_536
const PAGE_BYTES = 2048
const LISTS_AT = 1024
const TABLES_AT = 4096

/** The program's exports. Cells and chains are addresses. */
interface Exports {
  open(lists: number, pool: number, pageCount: number, pages: number, roomy: number): void
  allocate(bytes: number): number
  release(cell: number): void
  capacity(cell: number): number
  usedBytes(): number
  freePages(): number
  isLow(): number
  appendRecord(list: number, record: number, links: number): void
  removeRecord(list: number, record: number, links: number): void
  oldestIn(list: number): number
  newestIn(list: number): number
  append(chain: number, from: number, length: number): number
  claim(chain: number, bytes: number): number
  filled(chain: number, length: number): void
  copyOut(chain: number, to: number): void
  free(chain: number): void
  lengthOf(chain: number): number
  readonly LARGEST_CELL: { value: number }
  readonly SIZE_OF_CHAIN: { value: number }
  readonly SIZE_OF_PAGE: { value: number }
}

const program = new WebAssembly.Module(readFileSync(new URL('./pool.wasm', import.meta.url)))

export class PoolProgram {
  readonly bytes: Uint8Array
  readonly exports: Exports
  /** Addresses of the pool, of the input, and of the output. */
  readonly pool: number
  readonly input: number
  readonly output: number
  #nextChain: number

  /** @param pages of the pool; @param regionBytes of the input and of the output */
  constructor(pages: number, regionBytes: number) {
    this.input = WASM_PAGE_BYTES
    this.output = this.input + regionBytes + 64
    this.pool = (this.output + regionBytes + 64 + 7) & ~7
    const wasmPages = Math.ceil((this.pool + pages * PAGE_BYTES + 64) / WASM_PAGE_BYTES)
    const memory = new WebAssembly.Memory({ initial: wasmPages, maximum: wasmPages })
    const { exports } = new WebAssembly.Instance(program, { env: { memory } })
    this.bytes = new Uint8Array(memory.buffer)
    this.exports = exports as unknown as Exports
    const roomy = TABLES_AT + pages * this.exports.SIZE_OF_PAGE.value
    this.#nextChain = roomy + 64
    this.exports.open(LISTS_AT, this.pool, pages, TABLES_AT, roomy)
  }

  /** An empty chain. */
  chain(): number {
    const at = this.#nextChain
    this.#nextChain += this.exports.SIZE_OF_CHAIN.value
    return at
  }

  /** The content of a chain. */
  content(chain: number): Buffer {
    this.exports.copyOut(chain, this.output)
    return Buffer.from(this.bytes.subarray(this.output, this.output + this.exports.lengthOf(chain)))
  }
}
