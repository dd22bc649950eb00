/**
 * Chooses the threshold for the kernel's filter from the intake's, so that the kernel sheds most of what the intake would. It
 * stays above the intake's threshold, so that only the intake's changes affect connections, and follows it in steps, because
 * each change compiles a filter for every interface.
 */
import { KEEP_ALL } from '../intake/flow-shedder.ts'

/** The kernel's threshold is set to ABOVE times the intake's, and lowered when it exceeds TOO_FAR_ABOVE times the intake's. */
const ABOVE = 1.1
const TOO_FAR_ABOVE = 1.3

export class KernelThreshold {
  #current = KEEP_ALL

  /**
   * @param threshold the intake's
   * @returns the kernel's, never below it; KEEP_ALL: the kernel sheds nothing
   */
  follow(threshold: number): number {
    if (this.#current < threshold || this.#current > threshold * TOO_FAR_ABOVE) {
      this.#current = Math.min(KEEP_ALL, Math.ceil(threshold * ABOVE))
    }
    return this.#current
  }
}
