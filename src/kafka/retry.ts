/** When to try again. */

const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 2_000

/** Doubling up to two seconds, less up to a third by chance, so that many agents do not come at once. Milliseconds. */
export function retryDelay(attempts: number): number {
  const full = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts, 10))
  return Math.round(full * (1 - Math.random() / 3))
}
