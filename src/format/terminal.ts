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

/**
 * Splits a safe text into pieces.
 *
 * @param width  most columns of a piece, at least 2; null: one piece
 * @returns at least one piece
 */
export function wrap(text: string, width: number | null): string[] {
  if (width === null || columns(text) <= width) return [text]
  const pieces: string[] = []
  for (let start = 0; start < text.length; ) {
    const length = pieceLength(text, start, width)
    pieces.push(text.slice(start, start + length))
    start += length
  }
  return pieces
}
