/** Limits deferrable work to a share of a core. */

/**
 * Returns how long to pause after a part of the work.
 *
 * @param workedMs duration of that part
 * @param share of a core, above 0; 1: no pause
 * @returns milliseconds
 */
export const pauseAfterMs = (workedMs: number, share: number): number => workedMs * (1 / share - 1)
