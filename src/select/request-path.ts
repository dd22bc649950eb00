/** The parts of a request target (RFC 9112 §3.2), found in its bytes without allocating. */

const SLASH = 47
const COLON = 58
const QUESTION_MARK = 63
const HASH = 35

/** Start of the path: after the scheme and authority of an absolute-form target, else the target's start. */
export function pathStart(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] === SLASH) return at
  let i = at
  while (i < end && bytes[i] !== COLON && bytes[i] !== SLASH) i++
  if (i + 2 >= end || bytes[i] !== COLON || bytes[i + 1] !== SLASH || bytes[i + 2] !== SLASH) return at
  i += 3
  while (i < end && bytes[i] !== SLASH && bytes[i] !== QUESTION_MARK && bytes[i] !== HASH) i++
  return i
}

/** End of the path that begins at `start`: without query, fragment, and a trailing slash unless that is all of it. */
export function pathEnd(bytes: Uint8Array, start: number, end: number): number {
  let stop = start
  while (stop < end && bytes[stop] !== QUESTION_MARK && bytes[stop] !== HASH) stop++
  return stop - start > 1 && bytes[stop - 1] === SLASH ? stop - 1 : stop
}

/** The path of a request target as text, found as pathStart and pathEnd find it; a trailing slash stays. */
export function requestPath(target: string): string {
  const bytes = Buffer.from(target)
  const path = bytes.subarray(pathStart(bytes, 0, bytes.length)).toString()
  const end = path.search(/[?#]/)
  return end < 0 ? path : path.slice(0, end)
}
