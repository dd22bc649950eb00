/**
 * Runs test files in another process. Some share one, because starting one for each takes longer than most of them run
 * (shared-process.ts decides which). Each has its own result: marking tests separate the tests of the files. The process
 * ends after its tests, whatever threads and timers a failed test leaves; a process that hangs is killed with everything
 * that it started.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from 'node:test'
import { BEGIN, END, type GroupFile } from './import-tests.ts'
import { countEvent, emptyResult, type FileResult, finish, killedBefore, type TestEvent } from './test-file.ts'

/** What each process runs. */
const IMPORTER = new URL('./import-tests.js', import.meta.url).href

export interface GroupEvents {
  /** The tests of a file start. */
  began(name: string): void
  /** The tests of a file have ended. */
  ended(result: FileResult): void
}

/**
 * Runs compiled test files one after the other in one process.
 *
 * @param timeoutMs for all files: the file that runs then counts as hanging, is killed, and fails
 * @param cancelled resolves with a reason to kill them earlier
 * @returns the files that did not run, because the process ended in one before them: each needs a process of its own
 */
export async function runTestGroup(
  files: readonly GroupFile[],
  timeoutMs: number,
  cancelled: Promise<string>,
  events: GroupEvents,
): Promise<GroupFile[]> {
  const folder = mkdtempSync(join(tmpdir(), 'test-group-'))
  const program = join(folder, 'group.mjs')
  writeFileSync(
    program,
    `import { importTests } from ${JSON.stringify(IMPORTER)}\nawait importTests(${JSON.stringify(files)})\n`,
  )
  const results = new GroupResults(program, files, events)
  try {
    const killed = await killedBefore(program, timeoutMs, cancelled, async () => {
      // node:test's option forceExit loses the last events on Node.js 20, so importTests ends the process itself.
      for await (const event of run({ files: [program], concurrency: 1 })) {
        results.count(event as unknown as TestEvent)
      }
    })
    return results.close(killed)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/**
 * Runs a compiled test file in its own process.
 *
 * @param timeoutMs a file that runs longer hangs: it is killed, and has failed
 * @param cancelled resolves with a reason to kill the file earlier
 */
export async function runTestFile(file: GroupFile, timeoutMs: number, cancelled: Promise<string>): Promise<FileResult> {
  const startMs = performance.now()
  let result = emptyResult(file.name)
  await runTestGroup([file], timeoutMs, cancelled, {
    began: () => {},
    ended: (ended) => {
      result = ended
    },
  })
  // As a user waits for it: with the start of the process, and what is cleaned up after the tests.
  result.seconds = (performance.now() - startMs) / 1000
  return result
}

/** Attributes each event to the file whose tests run. */
class GroupResults {
  readonly #program: string
  readonly #left: GroupFile[]
  readonly #events: GroupEvents
  #current: FileResult
  readonly #startMs = performance.now()
  #isComplete = false

  constructor(program: string, files: readonly GroupFile[], events: GroupEvents) {
    this.#program = program
    this.#left = files.slice(1)
    this.#events = events
    // A failure before the first test, in an import, is attributed to the first file.
    this.#current = emptyResult(files[0].name)
    events.began(files[0].name)
  }

  count(event: TestEvent): void {
    const title = event.data['nesting'] === 0 ? String(event.data['name']) : ''
    if (title !== END && !title.startsWith(BEGIN)) this.#add(event)
    // The marking test starts, and waits until this event has left the process.
    else if (event.type === 'test:dequeue') this.#reach(title)
  }

  #add(event: TestEvent): void {
    countEvent(this.#current, this.#program, event)
    if (event.type !== 'test:pass' && event.type !== 'test:fail') return
    const { nesting, details } = event.data as { nesting?: number; details?: { duration_ms?: number } }
    // Use the process's own clock, because events arrive later.
    if (nesting === 0) this.#current.seconds += (details?.duration_ms ?? 0) / 1000
  }

  #reach(title: string): void {
    if (title === END) this.#isComplete = true
    // All imports are attributed to the first file.
    else if (title === BEGIN + this.#current.name) this.#current.seconds = (performance.now() - this.#startMs) / 1000
    else {
      this.#end()
      const [next] = this.#left.splice(0, 1)
      this.#current = emptyResult(next.name)
      this.#events.began(next.name)
    }
  }

  #end(killed: string | null = null): void {
    this.#events.ended(finish(this.#current, killed))
  }

  /** @param killed why the process was killed; null: it ended by itself. @returns the files that did not run */
  close(killed: string | null): GroupFile[] {
    const { failures } = this.#current
    if (!this.#isComplete && killed === null && failures.length === 0) {
      failures.push({ title: this.#current.name, error: 'its process ended before its tests' })
    }
    this.#end(killed)
    return this.#left
  }
}
