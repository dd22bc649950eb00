/**
 * What is done with every byte of a message's head, in WebAssembly for its 16-byte and 64-bit operations: AssemblyScript, a
 * strict kind of TypeScript (`npm run build` compiles it by itself). Works on the arena's memory alone and keeps nothing
 * between calls but the results of the last scan. Its callers are `http1/head.ts` and `encode/message-writer.ts`.
 */
export { digest } from './digest'
export { layHead, layId } from './lay'
export { scan } from './scan'

/** Copies `length` bytes; the ranges may overlap. */
export function copy(to: usize, from: usize, length: usize): void {
  memory.copy(to, from, length)
}
