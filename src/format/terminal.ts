/**
 * Escapes text for a terminal and measures its columns. All text from the wire passes through `safe` first: a header or
 * a body must not be able to move the cursor, set colours or rename the window.
 */

/** Control characters (C0, DEL, C1), format characters such as direction overrides, line separators, lone surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/

/** East Asian Wide and Fullwidth (UAX #11), and emoji. */
const WIDE =
  /[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18aff}\u{1b000}-\u{1b2ff}\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u
const COMBINING = /[\p{Mn}\p{Me}]/u

/** Ends a truncated text. One column. */
const ELLIPSIS = '…'

/** Replaces every character that a terminal could interpret by a readable escape: `\x1b`, `\u202e`. */
export function safe(text: string): string {
  if (PRINTABLE_ASCII.test(text)) return text
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`
  })
}

/** Columns of a code point: 0, 1 or 2. */
function characterColumns(character: string): number {
  if (COMBINING.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

/** Columns of a safe text. */
export function columns(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length
  let sum = 0
  for (const character of text) sum += characterColumns(character)
  return sum
}

/** Length of the longest piece from `start` that fits into `width` columns, in UTF-16 units. */
function pieceLength(text: string, start: number, width: number): number {
  let used = 0
  let end = start
  while (end < text.length) {
    const character = String.fromCodePoint(text.codePointAt(end)!)
    used += characterColumns(character)
    if (used > width) break
    end += character.length
  }
  return end - start
}

/** Truncates a safe text to at most `width` columns; an ellipsis marks what is missing. */
export function cut(text: string, width: number): string {
  if (columns(text) <= width) return text
  return width < 1 ? '' : text.slice(0, pieceLength(text, 0, width - 1)) + ELLIPSIS
}

/** Pads a safe text to `width` columns. A longer text stays as it is. */
export function pad(text: string, width: number, side: 'left' | 'right' = 'right'): string {
  const missing = width - columns(text)
  if (missing <= 0) return text
  return side === 'left' ? ' '.repeat(missing) + text : text + ' '.repeat(missing)
}

/** A row of a text: safe to print, and the index in the text at which it ends. */
export interface Row {
  readonly text: string
  readonly end: number
}

/**
 * Escapes a text and splits it into rows, one at a time: the caller stops when it has enough.
 *
 * @param text  any text
 * @param width  most columns of a row, at least the 10 of the longest escape
 * @returns at least one row
 */
export function* safeRows(text: string, width: number): Generator<Row> {
  let start = 0
  do {
    const row = rowAt(text, start, width)
    yield row
    start = row.end
  } while (start < text.length)
}

function rowAt(text: string, start: number, width: number): Row {
  // One character more: a combining one after the last column belongs to this row.
  const ahead = text.slice(start, start + width + 1)
  if (PRINTABLE_ASCII.test(ahead)) return { text: ahead.slice(0, width), end: start + Math.min(width, ahead.length) }
  let row = ''
  let used = 0
  let end = start
  while (end < text.length) {
    const character = String.fromCodePoint(text.codePointAt(end) ?? 0)
    const shown = safe(character)
    used += shown === character ? characterColumns(character) : shown.length
    if (used > width) break
    row += shown
    end += character.length
  }
  return { text: row, end }
}
