/** Collects garbage, so that a test can measure what is still in use. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')

/** Collects this thread's garbage before it returns. */
export const collectGarbage: () => void = runInNewContext('gc')
