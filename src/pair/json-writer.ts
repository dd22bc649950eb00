/**
 * Transcodes an assembler's MessagePack to the JSON form without creating objects: the same text as `pairToJson`, by a
 * program in WebAssembly (`json-core/`, AssemblyScript). In JavaScript it took three times as long (bench/findings.md).
 *
 * It accepts the assemblers' layout only: the schema's keys in the schema's order. For any other input it returns
 * undefined; the caller then decodes to objects, which accepts every layout and rejects what is not a pair.
 */
import { loadProgram } from '../sys/kept-code.ts'

/** The exports, which json-core/ describes. Addresses and lengths are bytes of `memory`. */
interface Program {
  memory: WebAssembly.Memory
  provideRoom(length: number): number
  outputStart(): number
  transcode(length: number, to: number, leaveEncoded: number): number
}

/** Of this thread: a pair is finished before the next one begins. Null on a processor that cannot run it. */
let program: Program | null | undefined

function startProgram(): Program | null {
  try {
    const { module } = loadProgram(new URL('./json-core.wasm', import.meta.url))
    return new WebAssembly.Instance(module).exports as unknown as Program
  } catch (error) {
    if (error instanceof WebAssembly.CompileError) return null
    throw error
  }
}

/** Writes the JSON form of one pair at a time. */
export class JsonWriter {
  readonly #leaveEncoded: boolean
  #bytes: Buffer = Buffer.alloc(0)

  /** @param leaveEncoded  also return undefined for a message with a coding other than `chunked`, so that the caller can undo it */
  constructor(leaveEncoded: boolean) {
    this.#leaveEncoded = leaveEncoded
    // Not at the first pair: the kept code is accepted only while V8's flags are unchanged (thread/v8-flags.ts).
    if (program === undefined) program = startProgram()
  }

  /**
   * @param raw  a pair as an assembler encoded it
   * @param before,after  ASCII to write around the object, at most 16 bytes each
   * @returns the JSON form, valid until the next call of any writer in this thread; undefined for any other layout, where
   *   memory does not suffice, and on a processor without the SIMD instructions of the program
   * @throws never
   */
  write(raw: Uint8Array, before: Uint8Array, after: Uint8Array): Uint8Array | undefined {
    const input = program?.provideRoom(raw.length) ?? 0
    if (!program || input === 0) return undefined
    // A memory that has grown has a new buffer.
    if (this.#bytes.buffer !== program.memory.buffer) this.#bytes = Buffer.from(program.memory.buffer)
    const bytes = this.#bytes
    const output = program.outputStart()
    bytes.set(raw, input)
    bytes.set(before, output)
    const end = program.transcode(raw.length, output + before.length, this.#leaveEncoded ? 1 : 0)
    if (end === 0) return undefined
    bytes.set(after, end)
    return bytes.subarray(output, end + after.length)
  }
}
