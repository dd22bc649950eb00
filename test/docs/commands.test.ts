/**
 * The commands in the documents. Those that a test machine can run are run in the order of their page, and must
 * succeed; the others are checked by the programs that they start. Outputs are compared by
 * test/scripts/generated.test.ts.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needsKubeTools } from '../../rig/kube-tools.ts'
import { sessionSteps } from '../../scripts/documents/console.ts'
import { type Block, blocksOf, spansOf } from '../../scripts/documents/markdown.ts'
import { Sandbox } from '../../scripts/documents/sandbox.ts'
import { shellLines, simpleCommands } from '../../scripts/documents/shell.ts'
import { checkLine } from './check-command.ts'
import { PAGES, readPage } from './pages.ts'

/** Programs whose commands are run, with the required first argument. */
const RUN: readonly RegExp[] = [
  /^interceptor (?:read|config|doctor|pods|help|openapi|completion|man|version)\b(?!.* (?:--brokers|--agent|-i|-f|--follow|-)(?: |$))/,
  /^interceptor top (?!.*(?:--brokers|--agent|-i)\b)/,
  /^interceptor (?:\w+ )?(?:--help|--version|-h|-V)$/,
  /^(?:cat|echo|grep|gunzip|gzip|head|jq|ls|rm|sed|sort|tail|wc|zcat) /,
]

const isRun = (line: string): boolean =>
  simpleCommands(line).every((words) => {
    const command = (words[0] === 'npx' ? words.slice(1) : words).join(' ')
    return RUN.some((pattern) => pattern.test(`${command} `.trimEnd()))
  })

/** Exit codes of commands that check the machine. */
const MAY_FAIL = /^(?:npx )?interceptor doctor\b/
/** A comment names a command's exit code if it is not 0: `# exit code 3`. */
const EXIT_CODE = /exit code (\d+)/

const skip = needsKubeTools()

for (const page of PAGES) {
  const blocks = blocksOf(page, readPage(page))
  const shells = blocks.filter(({ language }) => language === 'sh')
  if (shells.length > 0) {
    test(`commands: those of ${page} succeed, or are valid`, { skip }, () => {
      const sandbox = new Sandbox()
      try {
        assert.deepEqual(
          shells.flatMap((block) => problemsOf(block, sandbox)),
          [],
        )
      } finally {
        sandbox.remove()
      }
    })
  }

  test(`commands: ${page} has none in blocks of other languages`, () => {
    const looksLikeCommand = (line: string): boolean => /^(?:\$ |(?:sudo |npx )?interceptor [a-z-])/.test(line)
    const hidden = blocks.filter(
      ({ language, lines }) => !['sh', 'console'].includes(language) && lines.some(looksLikeCommand),
    )
    assert.deepEqual(
      hidden.map(({ line }) => `${page}:${line}`),
      [],
    )
  })

  test(`commands: those in sentences of ${page} are valid`, { skip }, () => {
    const isCommand = (code: string): boolean => /^(?:sudo |npx )?(?:interceptor|helm|kubectl) [a-z-]/.test(code)
    const problems = spansOf(readPage(page))
      .filter(({ code }) => isCommand(code))
      .flatMap(({ line, code }) => checkSpan(code).map((problem) => `${page}:${line}: ${problem}`))
    assert.deepEqual(problems, [])
  })
}

/** A command in a sentence may consist of its subcommand only. */
function checkSpan(code: string): string[] {
  return checkLine(code.replaceAll('…', '')).filter((problem) => !problem.includes('missing required argument'))
}

function problemsOf(block: Block, sandbox: Sandbox): string[] {
  return shellLines(block.lines).flatMap(({ at, text, comment }) => {
    const place = `${block.page}:${block.line + at}: ${text}`
    const problems = checkLine(text).map((problem) => `${place}\n${problem}`)
    if (problems.length > 0 || block.notRun !== null || !isRun(text)) return problems
    const { code, output } = sandbox.run(text)
    const expected = Number(EXIT_CODE.exec(comment)?.[1] ?? 0)
    return code === expected || MAY_FAIL.test(text) ? [] : [`${place}\nended with ${code}:\n${output}`]
  })
}

test('sessions: those that are not run contain valid commands', { skip }, () => {
  const blocks = PAGES.flatMap((page) => blocksOf(page, readPage(page)))
  const shown = blocks.filter(({ language, notRun }) => language === 'console' && notRun !== null)
  const problems = shown.flatMap(({ page, line, lines }) =>
    sessionSteps(lines).flatMap(({ command }) => checkLine(command).map((problem) => `${page}:${line}: ${problem}`)),
  )
  assert.deepEqual(problems, [])
})

const COMMANDS = 'read capture agent tail pods doctor config top ui openapi completion man version'.split(' ')

for (const command of ['', ...COMMANDS, 'config print', 'config schema', 'config validate']) {
  test(`commands: the examples in the help of interceptor ${command} are valid`, { skip }, () => {
    const sandbox = new Sandbox()
    const help = sandbox.run(`interceptor ${command} --help`).output
    sandbox.remove()
    const examples = help.split('\nExamples:\n')[1]?.match(/^ {2}\S.*$/gm) ?? []
    assert.deepEqual(
      examples.flatMap((line) => checkLine(line.trim())),
      [],
    )
  })
}
