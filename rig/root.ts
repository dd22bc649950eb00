import { join } from 'node:path'

/** The checkout's root, from dist/rig. */
export const ROOT = join(import.meta.dirname, '..', '..')
/** Programs and archives that are fetched or built once for the checkout. */
export const CACHE = join(ROOT, '.cache')
/** The program as it is installed: `npm run build` bundles it. */
export const PROGRAM = join(ROOT, 'dist', 'bundle', 'main.js')
/** Environment of programs written in Go that run briefly: collecting garbage four times as rarely saves a fifth of their CPU time. */
export const GO_ENV = { GOGC: '400' }
