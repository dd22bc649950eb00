/**
 * Parses the part of a shell's syntax that documents use: continued lines, pipes and lists, quotes, redirections,
 * comments. A real shell runs the commands; this module determines which programs a line would start.
 */

/** One line of a shell, with the comment at its end. */
export interface ShellLine {
  /** Index of its first line in the block. */
  at: number
  /** The text as written, with continuation lines. */
  text: string
  comment: string
}

/** Splits a block of shell commands into lines that can be run; comments and empty lines are left out. */
export function shellLines(lines: readonly string[]): ShellLine[] {
  const found: ShellLine[] = []
  for (let at = 0; at < lines.length; at++) {
    const first = at
    let text = lines[at]
    while (text.endsWith('\\') && at + 1 < lines.length) text += `\n${lines[++at]}`
    const { words, comment } = scan(text)
    if (words.length > 0) found.push({ at: first, text, comment })
  }
  return found
}

/**
 * The simple commands of a line, each as its words; without redirections and assignments in front.
 *
 * @throws when the end of a quote is missing
 */
export function simpleCommands(text: string): string[][] {
  const commands: string[][] = [[]]
  let isTarget = false
  for (const word of scan(text).words) {
    if (word.isOperator) {
      isTarget = /[<>]/.test(word.text)
      if (!isTarget) commands.push([])
    } else if (isTarget) isTarget = false
    else commands[commands.length - 1].push(word.text)
  }
  const isAssignment = (word: string): boolean => /^\w+=/.test(word)
  const bare = commands.map((words) => words.slice(words.findIndex((word) => !isAssignment(word))))
  return bare.filter((words) => words.length > 0)
}

interface Word {
  text: string
  isOperator: boolean
}

const OPERATOR = /^(?:\d?>>?(?:&\d)?|<|\|\|?|&&?|;|\(|\))/

function scan(text: string): { words: Word[]; comment: string } {
  const words: Word[] = []
  let rest = text.replaceAll('\\\n', ' ')
  for (;;) {
    rest = rest.replace(/^\s+/, '')
    if (rest === '') return { words, comment: '' }
    if (rest.startsWith('#')) return { words, comment: rest.slice(1).trim() }
    const operator = OPERATOR.exec(rest)?.[0]
    if (operator !== undefined) words.push({ text: operator, isOperator: true })
    const length = operator?.length ?? wordLength(rest)
    if (operator === undefined) words.push({ text: unquoted(rest.slice(0, length)), isOperator: false })
    rest = rest.slice(length)
  }
}

/** Where the word ends that a text begins with. */
function wordLength(text: string): number {
  let at = 0
  while (at < text.length && !/[\s|&;<>()]/.test(text[at])) at = skipPart(text, at)
  return at
}

/** @returns where the quote, the substitution, the escaped character or the plain one at `at` ends */
function skipPart(text: string, at: number): number {
  if (text[at] === '\\') return at + 2
  if (text[at] === "'") return closing(text, at + 1, "'", false)
  if (text[at] === '"') return closing(text, at + 1, '"', true)
  return text.startsWith('$(', at) ? closing(text, at + 2, ')', true) : at + 1
}

function closing(text: string, from: number, end: string, holdsParts: boolean): number {
  let at = from
  while (at < text.length && text[at] !== end) at = holdsParts ? skipPart(text, at) : at + 1
  if (at >= text.length) throw new Error(`${end} is missing: ${text}`)
  return at + 1
}

/** The text of a word without its quotes; a substitution stays as it is written. */
function unquoted(word: string): string {
  let text = ''
  for (let at = 0; at < word.length; ) {
    const end = skipPart(word, at)
    const part = word.slice(at, end)
    if (part.startsWith("'")) text += part.slice(1, -1)
    else if (part.startsWith('"')) text += part.slice(1, -1).replaceAll(/\\(["\\$`])/g, '$1')
    else text += part.startsWith('\\') ? part.slice(1) : part
    at = end
  }
  return text
}
