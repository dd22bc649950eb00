/** Decides when the memory that only the start needed is returned to the system. Main thread. */

/** By then start-up is over and its memory can be returned. */
const STARTED_MS = 5_000
/** Returned after so many intervals of STARTED_MS even if connections are still shed. */
const MOST_INTERVALS = 12

/**
 * Collecting the garbage of the start and reading the program's pages again costs up to 0.2 s of CPU. Under a CPU quota
 * of a fifth of a core the capture workers stand still for that: measured, the kernel dropped 40,000 frames
 * (bench/findings.md). So this waits while connections are shed, at most for a minute.
 *
 * @param isShedding whether the program has less CPU than its load needs
 */
export function returnStartMemory(release: () => void, isShedding: () => boolean, intervals = MOST_INTERVALS): void {
  setTimeout(() => {
    if (intervals > 1 && isShedding()) returnStartMemory(release, isShedding, intervals - 1)
    else release()
  }, STARTED_MS).unref()
}
