/** In a process that test files share (test-group.ts): imports them, and marks in its tests where each begins. */
import { test as declare } from 'node:test'
import { pathToFileURL } from 'node:url'

/** Titles of the tests that mark places; the name of a file follows. */
export const BEGIN = 'file begins: '
export const END = 'files end'

export interface GroupFile {
  /** As its result names it. */
  name: string
  /** Path of the compiled file. */
  path: string
}

/** Handles that tests have left keep the process alive for no longer than this after the last test. */
const LEFT_MS = 1000
/** Between two files: what the first has reported leaves the process before the second can hang or end it. */
const flushed = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Imports the files. No test begins before all are imported: it would run while its own file is evaluated. */
export async function importTests(files: readonly GroupFile[]): Promise<void> {
  let allow = (): void => {}
  const allowed = new Promise<void>((resolve) => {
    allow = resolve
  })
  for (const { name, path } of files) {
    declare(BEGIN + name, async () => {
      await allowed
      await flushed()
    })
    try {
      await import(pathToFileURL(path).href)
    } catch (error) {
      declare(name, () => {
        throw error
      })
    }
  }
  declare(END, () => void setTimeout(() => process.exit(), LEFT_MS).unref())
  allow()
}
