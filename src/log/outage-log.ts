/** Tells of failures once, not at every try: the first of a kind, then one line an hour, and the end of it. */

import type { Failure } from '../discovery/kubernetes/api-error.ts'
import type { Logger } from './logger.ts'

const REPEAT_MS = 60 * 60_000

interface Outage {
  kind: Failure['kind']
  since: number
  told: number
  /** Failures since it was told of. */
  held: number
}

export class OutageLog {
  readonly #log: Pick<Logger, 'info' | 'warn'>
  readonly #now: () => number
  #outage: Outage | null = null

  /** @param now milliseconds, monotonic */
  constructor(log: Pick<Logger, 'info' | 'warn'>, now: () => number = () => performance.now()) {
    this.#log = log
    this.#now = now
  }

  failed({ kind, message, hint }: Failure): void {
    const now = this.#now()
    const outage = this.#outage
    if (outage !== null && outage.kind === kind && now - outage.told < REPEAT_MS) {
      outage.held += 1
      return
    }
    const repeated = outage !== null && outage.held > 0 ? { repeated: outage.held } : {}
    this.#outage = { kind, since: outage?.since ?? now, told: now, held: 0 }
    this.#log.warn(message, { hint, ...repeated })
  }

  /** @param what as `pods are watched again` */
  recovered(what: string): void {
    if (this.#outage === null) return
    const seconds = Math.round((this.#now() - this.#outage.since) / 1000)
    this.#outage = null
    this.#log.info(what, { afterSeconds: seconds })
  }
}
