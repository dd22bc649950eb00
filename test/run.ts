/**
 * Runs every *.test.ts under test/, compiled, with node:test: `npm test`. Files that start nothing share a process
 * (shared-process.ts); every other file has its own.
 *
 *     npm test                       everything
 *     node dist/test/run.js assemble cli/read    only files whose path contains one of the words
 *     node dist/test/run.js '!e2e/' '!kwok'      all but those
 *     npm run faults                 those of faults/, which take minutes and run only if a word matches them
 *
 * Parts that take minutes to build or fetch, and are missing, are built before any file runs (built-parts.ts). Files run in
 * parallel, the longest first, unless they need the same resource (schedule.ts). Each finished file prints one line, and
 * failures in full. Meanwhile a line shows what runs and how much is left (progress.ts). The last lines name what this
 * machine lacks and how to install it (rig/needs.ts; with CI=true such tests fail), and the counts. Exit code 0 when no
 * test failed, else 1. SIGINT and SIGTERM end the run early and print its counts. TEST_LANES=1 runs one file at a time.
 * TEST_REPEAT=1 runs a failed file once more, when no other runs; if it passes then, it counts as passed and is named at
 * the end. TEST_TIMES=1 prints the CPU time of each file.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pc from 'picocolors'
import { commandLine } from '../rig/command-line.ts'
import { missingParts } from '../rig/needs.ts'
import { ROOT } from '../rig/root.ts'
import { unbuiltSource } from './support/build-state.ts'
import { buildersFor, runBuilders } from './support/built-parts.ts'
import { CompiledImports } from './support/compiled-imports.ts'
import { CpuTimes } from './support/cpu-times.ts'
import { Progress } from './support/progress.ts'
import { repeatFailed } from './support/repeat.ts'
import { FileTimes, groupsOf, nextGroup } from './support/schedule.ts'
import { SharedProcess } from './support/shared-process.ts'
import { toSourcePositions } from './support/source-positions.ts'
import { type FileResult, failedFile } from './support/test-file.ts'
import { runTestFile, runTestGroup } from './support/test-group.ts'
import { compileTestPrograms } from './support/test-programs.ts'

const SOURCES = join(ROOT, 'test')
/** Twice the cores of a small machine, because many files wait for programs that they have started. */
const LANES = Number(process.env['TEST_LANES'] ?? 4)
/** Repeats failed files on machines of unknown speed, such as those of a CI service. */
const REPEATS = process.env['TEST_REPEAT'] === '1'
const SHOWS_TIMES = process.env['TEST_TIMES'] === '1'
/** A file that runs longer counts as hanging: the longest takes three minutes on two busy cores. */
const FILE_TIMEOUT_MS = 600_000
/** Builds the image with all its layers: npm's and Debian's packages, and the program. */
const SLOW_FILES: Readonly<Record<string, number>> = { 'deploy/image': 1_200_000 }

const timeoutOf = (name: string): number => SLOW_FILES[name] ?? FILE_TIMEOUT_MS

/** Every TypeScript file under test/, as a path from there. */
const sourceFiles = (): string[] =>
  readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.startsWith('fixtures/'))
    .sort()

/** A file with tests whose name the runner would not find. */
const isStray = (path: string): boolean =>
  !path.endsWith('.test.ts') && /^\s*(?:test|describe|it)\(/m.test(readFileSync(join(SOURCES, path), 'utf8'))

const nameOf = (path: string): string => path.replace(/\.test\.ts$/, '')

const compiledPath = (name: string): string => join(ROOT, 'dist', 'test', `${name}.test.js`)

/** @returns the reason, once a signal ends the run early. A second signal ends this process at once. */
const interruption = (): Promise<string> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => resolve(`the run was ended by ${signal}`))
    }
  })

/** @returns units that run together: one file, or files that share a process */
function groupFiles(names: readonly string[], imports: CompiledImports): string[][] {
  const folders = ['test', 'rig'].map((folder) => join(ROOT, 'dist', folder))
  const shared = new SharedProcess(folders, imports)
  const sharing = names.filter((name) => shared.reasonAgainst(compiledPath(name)) === null)
  const alone = names.filter((name) => !sharing.includes(name)).map((name) => [name])
  return [...alone, ...groupsOf(sharing)]
}

/** Runs the files in parallel lanes. */
class TestRun {
  readonly results: FileResult[] = []
  readonly #times = FileTimes.read()
  /** Groups that have not started, in order. */
  readonly #left: string[][]
  /** Files of started groups that have not ended. */
  readonly #running = new Set<string>()
  readonly #builders: string[]
  readonly #progress: Progress
  readonly #cancelled = interruption()
  /** The reason, once a signal has ended the run. */
  ended: string | null = null

  constructor(names: readonly string[]) {
    const imports = new CompiledImports()
    this.#left = this.#times.longestFirst(groupFiles(names, imports))
    this.#builders = buildersFor(names.map(compiledPath), imports)
    this.#progress = new Progress(names, this.#times)
    void this.#cancelled.then((reason) => {
      this.ended = reason
    })
  }

  /**
   * Runs all files and reports each when it has ended. After a signal it starts no more files, and kills the running
   * ones.
   */
  async run(): Promise<void> {
    if (this.#builders.length > 0) console.log(pc.dim(`building unless present: ${this.#builders.join(', ')}`))
    await runBuilders(this.#builders, this.#cancelled)
    await Promise.all(Array.from({ length: LANES }, () => this.#lane()))
    this.#progress.close()
    this.#times.write()
  }

  runAlone(name: string): Promise<FileResult> {
    return runTestFile({ name, path: compiledPath(name) }, timeoutOf(name), this.#cancelled)
  }

  async #lane(): Promise<void> {
    while (this.#left.length > 0 && this.ended === null) {
      const group = nextGroup(this.#left, [...this.#running])
      // The remaining files wait for a file that runs in another lane.
      if (group === null) await this.#progress.nextEnd()
      else await this.#runGroup(group)
    }
  }

  async #runGroup(group: readonly string[]): Promise<void> {
    for (const name of group) this.#running.add(name)
    for (const name of group.length > 1 ? await this.#runTogether(group) : group) {
      if (this.ended !== null) return
      this.#progress.begin(name)
      this.#end(await this.runAlone(name))
    }
  }

  /** @returns the files that did not run, because another file ended their process */
  async #runTogether(group: readonly string[]): Promise<string[]> {
    const files = group.map((name) => ({ name, path: compiledPath(name) }))
    const events = {
      began: (name: string) => this.#progress.begin(name),
      ended: (result: FileResult) => this.#end(result),
    }
    const left = await runTestGroup(files, FILE_TIMEOUT_MS, this.#cancelled, events)
    return left.map(({ name }) => name)
  }

  #end(result: FileResult): void {
    this.#running.delete(result.name)
    this.#times.note(result.name, result.seconds)
    this.results.push(result)
    this.#progress.end(result.name, () => report(result))
  }
}

/** Runs the files, and repeats failed ones if configured. */
async function runFiles(names: readonly string[]): Promise<FileResult[]> {
  const files = new TestRun(names)
  const times = SHOWS_TIMES ? new CpuTimes(names) : null
  await files.run()
  if (times !== null) showTimes(times, files.results)
  const { results, ended } = files
  const missing = names.length - results.length
  if (missing > 0) results.push(failedFile(`${missing} files`, `they were not run: ${ended}`))
  if (!REPEATS || ended !== null) return results
  return repeatFailed(results, async (name) => {
    console.log(pc.dim(`repeating ${name}`))
    const result = await files.runAlone(name)
    report(result)
    return result
  })
}

function showTimes(times: CpuTimes, results: readonly FileResult[]): void {
  const lines = times.close(new Map(results.map(({ name, seconds }) => [name, seconds])))
  console.log(`\n${lines.join('\n')}`)
}

const indent = (text: string): string => toSourcePositions(text, ROOT).trimEnd().replace(/^/gm, '    ')

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

/** Prints the last lines: failures by name, missing parts and how to install them, and the counts. */
function summarize(results: FileResult[]): void {
  const failed = results.filter((result) => result.failures.length > 0)
  const skips = results.flatMap((result) => result.skips)
  if (failed.length > 0) console.log('\nFailed:')
  for (const { name, failures } of failed) for (const { title } of failures) console.log(`  ${name}: ${title}`)
  const unsteady = results.filter((result) => result.failedFirst.length > 0)
  if (unsteady.length > 0) console.log('\nPassed only when repeated:')
  for (const { name, failedFirst } of unsteady) for (const title of failedFirst) console.log(`  ${name}: ${title}`)
  if (skips.length > 0) console.log('\nSkipped:')
  for (const line of missingParts(skips)) console.log(`  ${line}`)
  const passed = results.reduce((sum, result) => sum + result.passed, 0)
  const failures = results.reduce((sum, result) => sum + result.failures.length, 0)
  console.log(`\n${passed} passed, ${failures} failed, ${skips.length} skipped`)
  if (failures > 0) process.exitCode = 1
}

/** @throws Error naming a word that looks like an option */
function withoutOptions(words: string[]): string[] {
  const option = words.find((word) => word.startsWith('-'))
  if (option !== undefined) throw new Error(`${option}: the tests have no options`)
  return words
}

async function main(words: string[]): Promise<void> {
  const sources = sourceFiles()
  const unwanted = words.filter((word) => word.startsWith('!')).map((word) => word.slice(1))
  const named = words.filter((word) => !word.startsWith('!'))
  const wanted = (path: string): boolean =>
    !unwanted.some((word) => path.includes(word)) &&
    (named.some((word) => path.includes(word)) || (named.length === 0 && !path.startsWith('faults/')))
  const tests = sources.filter((path) => path.endsWith('.test.ts') && wanted(path))
  const results = sources
    .filter(isStray)
    .map((path) => failedFile(path, 'it contains tests, but is not named *.test.ts'))
  const unbuilt = unbuiltSource(ROOT)
  if (unbuilt !== null) {
    summarize([failedFile('build', `${unbuilt} has changed since the last build that succeeded: run npm run build`)])
    return
  }
  if (tests.length === 0) results.push(failedFile(words.join(' '), 'no test file has this in its path'))
  results.forEach(report)
  console.log(pc.dim(`Node.js ${process.version}, ${tests.length} files`))
  if (tests.some((path) => /^(?:assemble|pair)\//.test(path))) await compileTestPrograms()
  results.push(...(await runFiles(tests.map(nameOf))))
  summarize(results)
}

const HELP = `Usage: npm test -- [WORD...]

Runs the test files whose path contains a WORD, and none whose path contains one after '!'.
`
await main(commandLine(HELP, process.argv.slice(2), withoutOptions))
// An abandoned file may keep this process alive.
process.stdout.write('', () => process.exit())
