/** How long to wait before a broker is asked again. */
import { backoffMs } from '../async/backoff.ts'

const RETRY = { minMs: 50, firstMs: 100, maxMs: 2_000 }

/** @param attempts failed ones since the last success. @returns milliseconds */
export const retryDelay = (attempts: number): number => backoffMs(RETRY, attempts)
