/** Collects what a shipper holds, like the main thread. */
import assert from 'node:assert/strict'
import type { FromWorker } from '../../src/thread/messages.ts'

export class HeldCollector {
  readonly #held = new Map<number, SharedArrayBuffer>()

  readonly post = (message: FromWorker): void => {
    if (message.t === 'held') {
      assert.ok(!this.#held.has(message.id), 'every number is used once')
      this.#held.set(message.id, message.memory)
    }
    if (message.t === 'released') assert.ok(this.#held.delete(message.id), 'memory is released once')
  }

  /** What the shipper would leave behind if it ended now. */
  get left(): SharedArrayBuffer[] {
    return [...this.#held.values()]
  }
}
