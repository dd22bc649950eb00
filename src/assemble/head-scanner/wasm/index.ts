/**
 * The work that touches every byte of a message head, in WebAssembly for its 16-byte and 64-bit operations. The language
 * is AssemblyScript, a strict subset of TypeScript; `npm run build` compiles it separately. It works on the arena's memory
 * alone and keeps no state but the results of the last scan. Callers: `http1/message-head.ts`, `encode/message-writer.ts`.
 */
export { digest } from './digest'
export { writeHead, writeId } from './encode'
export { scan } from './scan'

/** Copies `length` bytes; the ranges may overlap. */
export function copy(to: usize, from: usize, length: usize): void {
  memory.copy(to, from, length)
}
