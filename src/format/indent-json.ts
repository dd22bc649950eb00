/** Indents JSON token by token, so that numbers, escapes, duplicate keys and key order stay as sent. */

/** A line of a formatted text, and the index in the source text at which it ends. */
export interface SourceLine {
  readonly text: string
  readonly end: number
}

/** Deeper levels get no more indentation, so that a body of brackets does not become megabytes of spaces. */
const MAX_INDENTED_LEVELS = 32

const indentation = (level: number): string => '  '.repeat(Math.min(level, MAX_INDENTED_LEVELS))

/** Index after the string literal that begins at `start`; the text's end if the literal is cut off. */
function stringEnd(text: string, start: number): number {
  let index = start + 1
  while (index < text.length && text[index] !== '"') index += text[index] === '\\' ? 2 : 1
  return Math.min(index + 1, text.length)
}

function blankEnd(text: string, start: number): number {
  let index = start
  while (index < text.length && ' \t\n\r'.includes(text[index])) index++
  return index
}

const opens = (character: string | undefined): boolean => character === '{' || character === '['
const closes = (character: string | undefined): boolean => character === '}' || character === ']'

/**
 * Indents JSON by two spaces per level, one line at a time: the caller stops when it has enough.
 *
 * @param text  JSON, possibly cut off
 */
export function* indentJson(text: string): Generator<SourceLine> {
  let line = ''
  let level = 0
  for (let at = blankEnd(text, 0); at < text.length; ) {
    const character = text[at]
    const end = character === '"' ? stringEnd(text, at) : at + 1
    const next = blankEnd(text, end)
    if (closes(character)) {
      level--
      yield { text: line, end: at }
      line = indentation(level)
    }
    line += character === ':' ? ': ' : text.slice(at, end)
    at = next
    if (opens(character) && closes(text[next])) {
      line += text[next]
      at = blankEnd(text, next + 1)
    } else if (opens(character) || character === ',') {
      if (opens(character)) level++
      yield { text: line, end }
      line = indentation(level)
    }
  }
  yield { text: line, end: text.length }
}
