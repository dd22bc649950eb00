/** Indents JSON token by token, so that numbers, escapes, duplicate keys and key order stay as sent. */

/** Deeper levels get no more indentation, so that a body of brackets does not become megabytes of spaces. */
const MAX_INDENTED_LEVELS = 32

const indentation = (level: number): string => '  '.repeat(Math.min(level, MAX_INDENTED_LEVELS))

/** Index after the string literal that begins at `start`; the text's end if the literal is cut off. */
function stringEnd(text: string, start: number): number {
  let index = start + 1
  while (index < text.length && text[index] !== '"') index += text[index] === '\\' ? 2 : 1
  return Math.min(index + 1, text.length)
}

const blankEnd = (text: string, start: number): number => {
  let index = start
  while (index < text.length && ' \t\n\r'.includes(text[index])) index++
  return index
}

/**
 * Indents JSON by two spaces per level.
 *
 * @param text  JSON, possibly cut off
 * @returns its lines
 */
export function indentJson(text: string): string[] {
  const lines: string[] = []
  let line = ''
  let level = 0
  const breakLine = () => {
    lines.push(line)
    line = indentation(level)
  }
  for (let at = blankEnd(text, 0); at < text.length; at = blankEnd(text, at)) {
    const character = text[at]
    const end = character === '"' ? stringEnd(text, at) : at + 1
    if (character === '{' || character === '[') {
      const next = blankEnd(text, end)
      if (text[next] === '}' || text[next] === ']') {
        line += character + text[next]
        at = next + 1
        continue
      }
      line += character
      level++
      breakLine()
    } else if (character === '}' || character === ']') {
      level--
      breakLine()
      line += character
    } else {
      line += character === ':' ? ': ' : text.slice(at, end)
      if (character === ',') breakLine()
    }
    at = end
  }
  lines.push(line)
  return lines
}
