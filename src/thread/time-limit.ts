/**
 * A call with a time limit. Node.js's `vm` starts a thread for each that interrupts what it runs, WebAssembly too: 0.1
 * ms, with which a loop without end becomes an exception.
 */
import { Script } from 'node:vm'

/** Where the script finds what it is to call. */
const CALLED = Symbol.for('interceptor.limited')
const script = new Script("globalThis[Symbol.for('interceptor.limited')]()")
const scope = globalThis as { [CALLED]?: () => void }

/**
 * Calls `work`. Not from within `work`.
 *
 * @throws Error where it takes longer, at any point of it: nothing that it was changing may be used any more; and what
 *   `work` throws
 */
export function callWithin(limitMs: number, work: () => void): void {
  scope[CALLED] = work
  try {
    script.runInThisContext({ timeout: limitMs, displayErrors: false })
  } finally {
    delete scope[CALLED]
  }
}
