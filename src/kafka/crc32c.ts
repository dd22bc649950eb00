/**
 * CRC-32C, which record batches carry: computed by a program in WebAssembly (crc-core/), because Node.js has no
 * function for it. With the copy into the program's memory it reads 15 GB/s (bench/findings.md).
 */
import { copyBytes } from '../ring/copy-bytes.ts'
import { loadProgram } from '../sys/kept-code.ts'

/** The exports, which crc-core/ describes. */
interface Program {
  memory: WebAssembly.Memory
  input(): number
  blockBytes(): number
  lastBytes(): number
  begin(): void
  add(): void
  finish(length: number): number
}

/** Of this thread: outputs other than Kafka load none. */
let program: { exports: Program; bytes: Uint8Array; input: number; block: number; last: number } | null = null

function load(): NonNullable<typeof program> {
  const { module } = loadProgram(new URL('./crc-core.wasm', import.meta.url))
  const exports = new WebAssembly.Instance(module).exports as unknown as Program
  const bytes = new Uint8Array(exports.memory.buffer)
  return { exports, bytes, input: exports.input(), block: exports.blockBytes(), last: exports.lastBytes() }
}

/** @param head at least 4 bytes, at most 64 @returns the CRC of `head` and, behind it, `body`; uint32 */
export function crc32c(head: Uint8Array, body: Uint8Array): number {
  program ??= load()
  const { exports, bytes, input, block, last } = program
  copyBytes(head, 0, head.length, bytes, input)
  exports.begin()
  let filled = head.length
  let from = 0
  while (filled + body.length - from > last) {
    const end = from + block - filled
    copyBytes(body, from, end, bytes, input + filled)
    exports.add()
    filled = 0
    from = end
  }
  copyBytes(body, from, body.length, bytes, input + filled)
  return exports.finish(filled + body.length - from) >>> 0
}
