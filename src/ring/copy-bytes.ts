/**
 * Copies bytes into or out of shared memory, or within private memory.
 *
 * `TypedArray.prototype.set` copies shared memory word by word, because other threads might write to it, and it needs a
 * `subarray`, which is an object. Callers of this function own the bytes (claimed, or published and not released), so
 * plain copies suffice:
 *
 * - Node.js 22 and later: `copy` is memmove. Only for a whole source it calls `set`; then `fill` is used.
 * - Node.js 20: `copy` calls `set`. `fill` is memcpy, and needs a `subarray`.
 *
 * bench/findings.md has the figures (threads and rings).
 */
const { copy, fill } = Buffer.prototype
const COPIES_BY_WORDS = Number.parseInt(process.versions.node, 10) < 22
/** Below this length the `subarray` costs more than `fill` saves. */
const MIN_FILL_BYTES = 224

/** Copies source[start…end) to target[to…). Either may be shared memory, but not the same one; the target must have room. */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, to: number): void {
  if (start === 0 && end === source.length && end > 0 && (isShared(target) || isShared(source))) {
    fill.call(target, source, to, to + end)
  } else if (COPIES_BY_WORDS && end - start >= MIN_FILL_BYTES && (isShared(source) || isShared(target))) {
    fill.call(target, source.subarray(start, end), to, to + end - start)
  } else copy.call(source, target, to, start, end)
}

const isShared = ({ buffer }: Uint8Array): boolean => buffer instanceof SharedArrayBuffer
