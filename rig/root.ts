import { join } from 'node:path'

/** The checkout's root, from dist/rig. */
export const ROOT = join(import.meta.dirname, '..', '..')
/** Programs and archives that are fetched or built once for the checkout. */
export const CACHE = join(ROOT, '.cache')
/** The program as it is installed: `npm run build` bundles it. */
export const PROGRAM = join(ROOT, 'dist', 'bundle', 'main.js')
