/**
 * Blocks that show a session, with the outputs of its commands:
 *
 *     ```console
 *     $ interceptor read -o none examples/shop.pcap.gz
 *     24 pairs counted; 27 pairs filtered (…)
 *     ```
 *
 * `npm run generate` runs the commands and writes the outputs. A `…` in an output matches any text of its line, and alone
 * on a line for any number of lines: where an output fits, it stays as it is.
 */
import { type Block, blocksOf } from './markdown.ts'
import { Sandbox } from './sandbox.ts'

const PROMPT = '$ '

/** A command of a session, and the output that is shown. */
export interface SessionStep {
  /** As a shell runs it, without the prompt. */
  command: string
  output: string[]
}

/** The steps of a session block. @throws if it does not begin with a command */
export function sessionSteps(lines: readonly string[]): SessionStep[] {
  const steps: SessionStep[] = []
  let continues = false
  for (const line of lines) {
    if (continues) steps[steps.length - 1].command += `\n${line}`
    else if (line.startsWith(PROMPT)) steps.push({ command: line.slice(PROMPT.length), output: [] })
    else if (steps.length === 0) throw new Error(`a session begins with a command, not with: ${line}`)
    else steps[steps.length - 1].output.push(line)
    continues = line.endsWith('\\') && steps[steps.length - 1].output.length === 0
  }
  return steps
}

/** Whether an output matches the shown one. */
export function isShownAs(actual: readonly string[], shown: readonly string[]): boolean {
  const pattern = shown.map((line) => {
    if (line.trim() === '…') return '(?:.*\n)*?'
    return `${line.split('…').map(escapeText).join('.*')}\n`
  })
  return new RegExp(`^${pattern.join('')}$`).test(actual.map((line) => `${line}\n`).join(''))
}

const escapeText = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** The lines of an output; trailing spaces are removed. */
const linesOf = (output: string): string[] => {
  const lines = output.split('\n').map((line) => line.trimEnd())
  while (lines.at(-1) === '') lines.pop()
  return lines
}

/**
 * Runs the sessions of a page.
 *
 * @returns the page, with the outputs as they are now where they are not what it shows
 */
export function refreshSessions(page: string, text: string): string {
  const sessions = blocksOf(page, text).filter(({ language, notRun }) => language === 'console' && notRun === null)
  if (sessions.length === 0) return text
  const sandbox = new Sandbox()
  try {
    let lines = text.split('\n')
    // Blocks change their lengths, so the last ones would move: outputs first, in order, then the page from its end.
    const fresh = sessions.map((block) => playSession(sandbox, block))
    for (const [index, { line, lines: shown }] of [...sessions.entries()].reverse()) {
      const at = line - 1
      lines = [...lines.slice(0, at), ...fresh[index], ...lines.slice(at + shown.length)]
    }
    return lines.join('\n')
  } finally {
    sandbox.remove()
  }
}

/** @returns the lines of the block as they should be */
function playSession(sandbox: Sandbox, { lines, indent }: Block): string[] {
  const played = sessionSteps(lines).flatMap(({ command, output }) => {
    const actual = linesOf(sandbox.run(command).output)
    return [...`${PROMPT}${command}`.split('\n'), ...(isShownAs(actual, output) ? output : actual)]
  })
  return played.map((line) => (line === '' ? '' : indent + line))
}
