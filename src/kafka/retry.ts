/** Backoff between attempts to reach a broker. */
import { Backoff, backoffMs } from '../async/backoff.ts'

/**
 * A client that is open for this long and gets an answer works; a broker may spoil each connection soon after its first
 * answers.
 */
export const HEALTHY_MS = 2_000
const RETRY = { minMs: 50, firstMs: 100, maxMs: 2_000, healthyMs: HEALTHY_MS }

/** @param attempts failed attempts since the last success @returns milliseconds to wait */
export const retryDelay = (attempts: number): number => backoffMs(RETRY, attempts)

/** The same delays for a client that is replaced: `worked` takes how long the one that has just been answered is open. */
export const retryBackoff = (): Backoff => new Backoff(RETRY)
