/**
 * Copies bytes into or out of shared memory, or within private memory.
 *
 * `TypedArray.prototype.set` moves what is shared word by word, since other threads might write meanwhile, and wants a
 * `subarray`, which is an object. Whoever copies here owns the bytes (they are claimed, or published and not released), so
 * Node.js's own `copy` will do, which is memmove from Node.js 22 on. Copies out of shared memory on Node.js 24, ns, `set`
 * against this: 700 bytes 127 and 69, 1500 bytes 188 and 62, 64 KiB 9,300 and 1,290. Node.js 20 has `set` within `copy`.
 */
const { copy } = Buffer.prototype

/** Copies source[start…end) to `to` of the target. Either may be shared; both must have room. */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, to: number): void {
  copy.call(source, target, to, start, end)
}
