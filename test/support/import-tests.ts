/**
 * Runs in the process of test files (test-group.ts): imports them, and adds tests that mark where each file
 * begins and ends.
 */
import { after, test as declare } from 'node:test'
import { pathToFileURL } from 'node:url'

/** Title prefixes of the marking tests; the name of a file follows. */
export const BEGIN = 'file begins: '
export const END = 'files end'

export interface GroupFile {
  /** Name in the result. */
  name: string
  /** Path of the compiled file. */
  path: string
}

/** Open handles keep the process alive for at most this time after the last test and hook. */
const LEFT_MS = 1000
/** Pause between two files, so that the events of the first leave the process before the second can hang or end it. */
const flushed = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/**
 * Imports the files. No test starts before all files are imported, because it would run while its own file is
 * evaluated.
 */
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
  declare(END, () => {})
  // Runs after the hooks of the files, which may end what still runs.
  after(() => void setTimeout(() => process.exit(), LEFT_MS).unref())
  allow()
}
