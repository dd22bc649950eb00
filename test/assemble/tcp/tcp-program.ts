/** The TCP half of the assembler's program (src/assemble/core/tcp); a test provides the functions of the HTTP half. */
import { readFileSync } from 'node:fs'
import { ASSEMBLE_COUNTERS } from '../../../src/ledger/counters.ts'

const INPUT_BYTES = 70_000
const HASH_KEYS = 11
const PAGE_BYTES = 2048
const WASM_PAGE_BYTES = 65_536
const FIRST_REGION = 4096
const MEMORY_PAGES = 1024

export interface TcpProgramOptions {
  poolBytes?: number
  flows?: number
  /** Number of additional records; default: enough for all flows. */
  rareStates?: number
  idleMicros?: number
}

/** Functions of src/assemble/core/tcp/owner.ts. Missing ones do nothing and return 0. */
export type Owner = Record<string, (a: number, b: number, c: number, d: number, e: number) => unknown>

/** The program's exports. Flows, rare states and pieces are addresses, and directions 0 and 1; flags are 0 or 1. */
interface Exports {
  configure(layout: number): void
  setMicros(micros: number): void
  setClock(micros: number): void
  segment(
    ip: number,
    tcp: number,
    end: number,
    interfaceId: number,
    domain: number,
    network: number,
    hash: number,
    mark: number,
  ): void
  advance(): void
  endAll(): void
  endInterface(id: number): void
  usedBytes(): number
  rareStatesUsed(): number
  clientOf(flow: number): number
  nextSeqOf(flow: number, direction: number): number
  find(ip: number, tcp: number, domain: number, network: number, hash: number): number
  foundDirection(): number
  nextInOtherNetwork(after: number): number
  addFlow(interfaceId: number): number
  takeSecrets(take: number): void
  hashOf(flow: number): number
  join(flow: number): void
  touch(flow: number): void
  closeFlow(flow: number): void
  removeFlow(flow: number): void
  flowCount(): number
  lookupVisits(): number
  tableIsFull(): number
  oldestOpen(proven: number): number
  oldestClosed(): number
  newerOf(flow: number): number
  isIpv6(flow: number): number
  portOf(flow: number, direction: number): number
  addressWord(flow: number, direction: number, word: number): number
  newFlow(): number
  streamOf(flow: number, direction: number): number
  beginStream(stream: number, firstSeq: number): void
  rememberSyn(flow: number, direction: number, seq: number): void
  acceptSynAck(stream: number, ack: number, flags: number): void
  hasDelivered(stream: number): number
  otherSynSeen(stream: number): number
  firstSeqOf(stream: number): number
  streamNextSeq(stream: number): number
  reachedOf(stream: number): number
  isKnown(stream: number): number
  isSynSeen(stream: number): number
  setAcked(stream: number, acked: number): void
  setNextSeq(stream: number, nextSeq: number): void
  addSegments(flow: number, segments: number): void
  isSuspected(stream: number): number
  isBelieved(flow: number, direction: number, clock: number): number
  coveredBytes(stream: number, lost: number): number
  clearSuspicion(stream: number): void
  overdueSuspicion(clock: number): number
  rareStateOf(stream: number, direction: number): number
  newRareState(): number
  addPiece(
    rare: number,
    previous: number,
    at: number,
    end: number,
    seq: number,
    ack: number,
    clock: number,
    micros: number,
  ): number
  floorPiece(rare: number, seq: number): number
  removeFirst(rare: number): void
  clearPieces(rare: number): void
  oldestPiece(): number
  pieceVisits(): number
  heldOf(rare: number): number
  heldPiecesOf(rare: number): number
  heldBytesOf(rare: number): number
  seqOf(piece: number): number
  endSeq(piece: number): number
  heldSinceOf(piece: number): number
  nextOf(piece: number): number
  bytesOf(piece: number, cell: number): number
  bytesIn(piece: number, cell: number, left: number): number
  nextCell(cell: number): number
  readonly SIZE_OF_FLOW: { value: number }
  readonly SIZE_OF_TAIL: { value: number }
  readonly SIZE_OF_EXTRAS: { value: number }
  readonly SIZE_OF_RARE_STATE: { value: number }
  readonly SIZE_OF_SLAB: { value: number }
  readonly SIZE_OF_LISTS: { value: number }
  readonly SIZE_OF_PAGE: { value: number }
}

const program = new WebAssembly.Module(readFileSync(new URL('./tcp.wasm', import.meta.url)))
/** Unused memories, kept because allocating one costs more than most scripts. */
const spareMemories: WebAssembly.Memory[] = []
/** All that the program may import of its owner and host. */
const NOTHING: Owner = Object.fromEntries(
  [
    ...['Data', 'Gap', 'Ambiguous', 'End', 'Opened', 'HopLimit', 'Begins', 'BeginsRequest', 'Release', 'IsFull'],
    ...['FlowToEvict', 'EvictOldest', 'Expire'],
  ].map((name) => [`owner${name}`, () => 0]),
)
const HOST: Owner = { hostMark: () => {}, hostErase: () => {} }

export class TcpProgram {
  readonly exports: Exports
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Address of INPUT_BYTES for what a test writes. */
  readonly input: number
  /** In the order of ASSEMBLE_COUNTERS. */
  readonly counts: Float64Array
  readonly #memory: WebAssembly.Memory

  constructor(owner: Owner, options: TcpProgramOptions = {}) {
    const { poolBytes = 8 * 1024 * 1024, flows = 1000, idleMicros = 600_000_000 } = options
    const { rareStates = 2 * flows + 8 } = options
    const memory = spareMemories.pop() ?? new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES })
    const { exports } = new WebAssembly.Instance(program, {
      env: { memory },
      owner: { ...NOTHING, ...owner } as never,
      host: HOST as never,
    })
    this.#memory = memory
    this.exports = exports as unknown as Exports
    this.bytes = new Uint8Array(memory.buffer)
    this.view = new DataView(memory.buffer)
    let next = FIRST_REGION
    const region = (bytes: number): number => {
      const start = next
      next = (start + bytes + 63) & ~63
      return start
    }
    const layout = region(128)
    this.input = region(INPUT_BYTES)
    const counts = region(8 * ASSEMBLE_COUNTERS.length)
    const keys = region(8 * HASH_KEYS)
    this.counts = new Float64Array(memory.buffer, counts, ASSEMBLE_COUNTERS.length)
    const words = this.#words(region, counts, keys, flows, rareStates, poolBytes)
    if (next > MEMORY_PAGES * WASM_PAGE_BYTES) throw new RangeError(`a memory of ${next} bytes is needed`)
    this.view.setFloat64(layout, idleMicros, true)
    for (const [i, word] of words.entries()) this.view.setUint32(layout + 8 + 4 * i, word, true)
    crypto.getRandomValues(this.bytes.subarray(keys, keys + 8 * HASH_KEYS))
    this.counts.fill(0)
    this.exports.configure(layout)
  }

  /** Releases the memory for other programs. No method may be called afterwards. */
  recycle(): void {
    spareMemories.push(this.#memory)
  }

  /** In the order of the fields of Layout (test/assemble/core/programs/tcp.ts). */
  #words(
    region: (bytes: number) => number,
    counts: number,
    keys: number,
    flows: number,
    rareStates: number,
    poolBytes: number,
  ): readonly number[] {
    const buckets = 2 ** Math.ceil(Math.log2(flows))
    const pages = poolBytes / PAGE_BYTES
    const core = this.exports
    return [
      counts,
      keys,
      region(4 * buckets),
      buckets,
      region(3 * core.SIZE_OF_SLAB.value),
      region(core.SIZE_OF_LISTS.value),
      region(flows * core.SIZE_OF_FLOW.value),
      region(flows * core.SIZE_OF_TAIL.value),
      region(flows * core.SIZE_OF_EXTRAS.value),
      rareStates,
      region(rareStates * core.SIZE_OF_RARE_STATE.value),
      flows,
      region(pages * core.SIZE_OF_PAGE.value),
      region(64),
      region(poolBytes),
      pages,
      1 + Math.floor(Math.random() * (2 ** 31 - 1)),
    ]
  }
}
