import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The checkout's root, from dist/rig. */
export const ROOT = join(import.meta.dirname, '..', '..')
/** Programs and archives that are downloaded or built once for the checkout. */
export const CACHE = join(ROOT, '.cache')
/** The program as it is installed: `npm run build` bundles it. */
export const PROGRAM = join(ROOT, 'dist', 'bundle', 'main.js')
/** Entry of a bundled thread, which starts in two thirds of the CPU time of the compiled files. */
export const threadOf = (role: 'capture' | 'ship'): URL =>
  pathToFileURL(join(ROOT, 'dist', 'bundle', role, `${role}.worker.js`))
/** Environment of short-lived Go programs: collecting garbage a quarter as often saves a fifth of their CPU time. */
export const GO_ENV = { GOGC: '400' }
