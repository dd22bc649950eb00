/** JSON laid out for reading, token by token: numbers, escapes, duplicate keys and key order stay as they were sent. */

/** Deeper levels are not indented further, so that a body of brackets does not become megabytes of blanks. */
const MAX_INDENTED_LEVELS = 32

const indentation = (level: number): string => '  '.repeat(Math.min(level, MAX_INDENTED_LEVELS))

/** End of the string literal that begins at `start`: the index after its closing quote, or of the text's end. */
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

/** @param text JSON, possibly cut off. @returns its lines, indented by two blanks a level */
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
