/**
 * Wakes a thread that sleeps in poll(2), where no doorbell reaches it: a descriptor that is readable from `signal` until
 * `clearWakeEvent`. It lasts until it is cleared, so none is lost between two sleeps.
 */
import { readSync, writeSync } from 'node:fs'
import { close, eventfd } from './libc.ts'

/** sys/eventfd.h */
const EFD_CLOEXEC = 0o2000000
const EFD_NONBLOCK = 0o4000

const ONE = new Uint8Array(BigUint64Array.of(1n).buffer)
const count = new Uint8Array(8)

/** The side that wakes, and owns the descriptor. */
export class WakeEvent {
  /** Poll it for POLLIN. Negative once closed: poll(2) ignores negative descriptors. */
  #fd = eventfd(EFD_CLOEXEC | EFD_NONBLOCK)

  get fd(): number {
    return this.#fd
  }

  /** Does nothing once closed. */
  signal(): void {
    if (this.#fd >= 0) writeSync(this.#fd, ONE)
  }

  /** The sleeping thread must have ended. */
  close(): void {
    if (this.#fd >= 0) close(this.#fd)
    this.#fd = -1
  }
}

/** Makes a readable event unreadable again. To be called before looking for what it announced. */
export function clearWakeEvent(fd: number): void {
  readSync(fd, count)
}
