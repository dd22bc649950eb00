/**
 * Runs the test files named by the arguments in one process, for at most the milliseconds of the first argument, and
 * prints JSON.
 */
import { basename } from 'node:path'
import type { FileResult } from './test-file.ts'
import { runTestGroup } from './test-group.ts'

const [timeoutMs, ...paths] = process.argv.slice(2)
const files = paths.map((path) => ({ name: basename(path, '.mjs'), path }))
const began: string[] = []
const results: FileResult[] = []
const left = await runTestGroup(files, Number(timeoutMs), new Promise<string>(() => {}), {
  began: (name) => began.push(name),
  ended: (result) => results.push(result),
})
process.stdout.write(JSON.stringify({ began, results, left: left.map(({ name }) => name) }), () => process.exit())
