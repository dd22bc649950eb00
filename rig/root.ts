import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The checkout's root, from dist/rig. */
export const ROOT = join(import.meta.dirname, '..', '..')
/** Programs and archives that are fetched or built once for the checkout. */
export const CACHE = join(ROOT, '.cache')
/** The program as it is installed: `npm run build` bundles it. */
export const PROGRAM = join(ROOT, 'dist', 'bundle', 'main.js')
/** A thread of it, which starts in two thirds of the CPU time that one of the compiled files needs. */
export const threadOf = (role: 'capture' | 'ship'): URL =>
  pathToFileURL(join(ROOT, 'dist', 'bundle', role, `${role}.worker.js`))
/** Environment of programs written in Go that run briefly: collecting garbage four times as rarely saves a fifth of their CPU time. */
export const GO_ENV = { GOGC: '400' }
