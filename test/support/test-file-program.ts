/**
 * Runs the test file named by the first argument for at most the milliseconds of the second, and prints its result as
 * JSON.
 */
import { runTestFile } from './test-group.ts'

const [file, timeoutMs] = process.argv.slice(2)
const never = new Promise<string>(() => {})
const result = await runTestFile({ name: 'file', path: file }, Number(timeoutMs), never)
process.stdout.write(JSON.stringify(result), () => process.exit())
