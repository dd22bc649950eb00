/**
 * Runs every *.test.ts under test/, compiled, with node:test, each file in a process of its own: `npm test`.
 *
 *     npm test                       everything
 *     node dist/test/run.js assemble cli/read    only files whose path contains one of the words
 *
 * Files run side by side, the longest first, as far as they do not need the same thing (schedule.ts). Each finished file is
 * one line, a failure in full. Meanwhile a line shows what runs and how much is left (progress.ts). The last lines name what
 * this machine lacks and how to get it (rig/needs.ts; with CI=true such tests fail), and the counts. Exit code 0 when no
 * test failed, else 1. TEST_LANES=1 runs one file at a time.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { run } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import pc from 'picocolors'
import { missingParts } from '../rig/needs.ts'
import { killChildren } from '../rig/process-tree.ts'
import { ROOT } from '../rig/root.ts'
import { Progress } from './support/progress.ts'
import { FileTimes, nextFile } from './support/schedule.ts'

const SOURCES = join(ROOT, 'test')
/** One more than the cores of a small machine: many files wait for programs that they have started. */
const LANES = Number(process.env['TEST_LANES'] ?? 3)
/** A file that takes longer hangs: the longest take three minutes on two busy cores. */
const FILE_TIMEOUT_MS = 600_000
/** After its processes are killed, the events of a file end at once, or never. */
const KILLED_MS = 5000
/** The output of a failed file is repeated up to this length. */
const OUTPUT_CHARS = 20_000

interface Failure {
  title: string
  /** The error, formatted. */
  error: string
}

interface FileResult {
  /** Path from test/, without the ending. */
  name: string
  passed: number
  failures: Failure[]
  /** The reason of each skipped test. */
  skips: string[]
  /** What the file's process printed. */
  output: string
  seconds: number
}

/** Every TypeScript file under test/, as a path from there. */
const sourceFiles = (): string[] =>
  readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.startsWith('fixtures/'))
    .sort()

/** A file that holds tests under a name that the runner would not find. */
const isStray = (path: string): boolean =>
  !path.endsWith('.test.ts') && /^\s*(?:test|describe|it)\(/m.test(readFileSync(join(SOURCES, path), 'utf8'))

const nameOf = (path: string): string => path.replace(/\.test\.ts$/, '')

const compiledPath = (path: string): string => join(ROOT, 'dist', 'test', path.replace(/\.ts$/, '.js'))

/** One failure that no test reported. */
const failedFile = (name: string, error: string): FileResult => ({
  name,
  passed: 0,
  failures: [{ title: name, error }],
  skips: [],
  output: '',
  seconds: 0,
})

type TestEvent = { type: string; data: Record<string, unknown> }

/** Counts one event of node:test into the result. Events of the file itself are not tests. */
function countEvent(result: FileResult, path: string, { type, data }: TestEvent): void {
  if (type === 'test:stdout' || type === 'test:stderr') {
    if (result.output.length < OUTPUT_CHARS) result.output += String(data['message'])
    return
  }
  if (type !== 'test:pass' && type !== 'test:fail') return
  const details = data['details'] as { type?: string; error?: Error & { failureType?: string } }
  const skip = data['skip'] ?? data['todo']
  const own = data['name'] === path
  if (type === 'test:fail' && skip === undefined) {
    if (details.error?.failureType === 'subtestsFailed')
      result.failures.push({ title: String(data['name']), error: '' })
    else result.failures.push({ title: own ? result.name : String(data['name']), error: describeError(details.error) })
  } else if (skip !== undefined && skip !== false) result.skips.push(skip === true ? 'no reason given' : String(skip))
  else if (!own && details.type !== 'suite') result.passed += 1
}

/** node:test wraps what was thrown. An assertion's values are in its message already. */
function describeError(error: Error | undefined): string {
  const thrown = error?.cause ?? error
  if (!(thrown instanceof Error)) return String(thrown)
  // From another process: only the name tells.
  return thrown.name === 'AssertionError' ? String(thrown.stack) : inspect(thrown, { depth: 8, maxStringLength: 4000 })
}

/**
 * Waits for a file's run. When it takes too long, the file's processes are killed, whatever signals they ignore, and the run
 * is given up even where its events do not end then: one file never holds up the others.
 *
 * @returns whether it took too long
 */
async function withinTimeout(file: string, work: () => Promise<void>): Promise<boolean> {
  const working = work()
  const cancel = new AbortController()
  const expired = sleep(FILE_TIMEOUT_MS, true, { signal: cancel.signal }).catch(() => false)
  const timedOut = await Promise.race([working.then(() => false), expired])
  cancel.abort()
  if (!timedOut) return false
  killChildren(file)
  await Promise.race([working, sleep(KILLED_MS)])
  return true
}

async function runFile(path: string): Promise<FileResult> {
  const name = nameOf(path)
  const file = compiledPath(path)
  if (!existsSync(file)) return failedFile(name, `${relative(ROOT, file)} is missing: run npm run build`)
  const result: FileResult = { name, passed: 0, failures: [], skips: [], output: '', seconds: 0 }
  const start = performance.now()
  const timedOut = await withinTimeout(file, async () => {
    const events = run({ files: [file], concurrency: 1 })
    for await (const event of events) countEvent(result, file, event as unknown as TestEvent)
  })
  result.seconds = (performance.now() - start) / 1000
  if (timedOut) {
    const error = `its process was killed: it had not ended after ${FILE_TIMEOUT_MS / 1000} s`
    result.failures.push({ title: name, error })
  }
  if (result.passed + result.failures.length + result.skips.length === 0) {
    result.failures.push({ title: name, error: 'the file has no tests' })
  }
  return result
}

/** Runs the files in LANES lanes and reports each when it is done. */
async function runFiles(paths: readonly string[]): Promise<FileResult[]> {
  const results: FileResult[] = []
  const times = FileTimes.read()
  const left = times.longestFirst(paths.map(nameOf))
  const progress = new Progress(left, times)
  const running: string[] = []
  const lane = async (): Promise<void> => {
    while (left.length > 0) {
      const name = nextFile(left, running)
      if (name === null) {
        // Whatever holds back the files that are left runs in another lane.
        await progress.nextEnd()
        continue
      }
      running.push(name)
      progress.begin(name)
      const result = await runFile(`${name}.test.ts`)
      running.splice(running.indexOf(name), 1)
      times.note(name, result.seconds)
      progress.end(name, () => report(result))
      results.push(result)
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  progress.close()
  times.write()
  return results
}

const indent = (text: string): string => text.trimEnd().replace(/^/gm, '    ')

function report(result: FileResult): void {
  const { failures, skips } = result
  const counts = [`${result.passed} passed`]
  if (failures.length > 0) counts.push(pc.red(`${failures.length} failed`))
  if (skips.length > 0) counts.push(pc.yellow(`${skips.length} skipped`))
  const mark = failures.length > 0 ? pc.red('✖') : skips.length > 0 ? pc.yellow('–') : pc.green('✔')
  console.log(`${mark} ${result.name} ${pc.dim(`${result.seconds.toFixed(1)} s`)}  ${counts.join(', ')}`)
  for (const { title, error } of failures) {
    if (error !== '') console.log(`\n  ${pc.red(title)}\n${indent(error)}\n`)
  }
  if (failures.length > 0 && result.output !== '') console.log(`  ${pc.dim('output:')}\n${indent(result.output)}\n`)
}

/** The last lines: failures again by name, missing parts and how to get them, and the counts. */
function summarize(results: FileResult[]): void {
  const failed = results.filter((result) => result.failures.length > 0)
  const skips = results.flatMap((result) => result.skips)
  if (failed.length > 0) console.log('\nFailed:')
  for (const { name, failures } of failed) for (const { title } of failures) console.log(`  ${name}: ${title}`)
  if (skips.length > 0) console.log('\nSkipped:')
  for (const line of missingParts(skips)) console.log(`  ${line}`)
  const passed = results.reduce((sum, result) => sum + result.passed, 0)
  const failures = results.reduce((sum, result) => sum + result.failures.length, 0)
  console.log(`\n${passed} passed, ${failures} failed, ${skips.length} skipped`)
  if (failures > 0) process.exitCode = 1
}

async function main(words: string[]): Promise<void> {
  const sources = sourceFiles()
  const wanted = (path: string): boolean => words.length === 0 || words.some((word) => path.includes(word))
  const tests = sources.filter((path) => path.endsWith('.test.ts') && wanted(path))
  const results = sources
    .filter(isStray)
    .map((path) => failedFile(path, 'it contains tests, but is not named *.test.ts'))
  if (tests.length === 0) results.push(failedFile(words.join(' '), 'no test file has this in its path'))
  results.forEach(report)
  console.log(pc.dim(`Node.js ${process.version}, ${tests.length} files`))
  results.push(...(await runFiles(tests)))
  summarize(results)
}

await main(process.argv.slice(2))
// A run that was given up may keep this process alive.
process.stdout.write('', () => process.exit())
