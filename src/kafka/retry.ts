/** Backoff between attempts to reach a broker. */
import { backoffMs } from '../async/backoff.ts'

const RETRY = { minMs: 50, firstMs: 100, maxMs: 2_000 }

/** @param attempts failed attempts since the last success @returns milliseconds to wait */
export const retryDelay = (attempts: number): number => backoffMs(RETRY, attempts)
