/** Interfaces by name, over all files of a run: rotated captures of one interface stay one interface. */
import type { FrameSink } from '../frame-sink.ts'

/** Interfaces told apart; what comes after goes under its file's name, and that under the first interface. */
const MAX_INTERFACES = 1024

export class InterfaceNames {
  readonly #ids = new Map<string, number>()
  readonly #sink: FrameSink

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** @returns the id of `name`, announced to the sink at its first use; of `fallback` where there are too many */
  idOf(name: string, fallback: string): number {
    const known = this.#ids.get(name)
    if (known !== undefined) return known
    const id = this.#ids.size
    if (id >= MAX_INTERFACES) return this.#ids.get(fallback) ?? 0
    this.#ids.set(name, id)
    this.#sink.addInterface(id, { name, vantage: 'file', mesh: null, domain: 0, vantagePoint: null })
    return id
  }
}
