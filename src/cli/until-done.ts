/** Waits for the end of a run. A signal drains the run; if that takes too long, it is stopped. */
import { withResolvers } from '../async/with-resolvers.ts'
import type { Logger } from '../log/logger.ts'
import type { Outcome, PipelineHandle } from '../supervisor/options.ts'

/** How long a pipeline that is stopped after a drain timeout may take to report what it lost. Milliseconds. */
const STOP_MS = 4000

/** The same limit after a second signal. */
const AT_ONCE_MS = 500

/** The message of a run without an outcome. */
export const NOT_REPORTED = 'stopped before all workers had reported their counts'

/** How a run ended. */
export interface Ended {
  /** Null: the run was stopped and did not report what it lost in time. */
  outcome: Outcome | null
  /** Number of signals that asked it to end. */
  signals: number
}

type Handle = Pick<PipelineHandle, 'done' | 'drain' | 'stop'>

/**
 * Waits for the end of a run. The first SIGINT or SIGTERM drains it, the second stops it at once.
 *
 * @param drainMs  after this time the drain becomes a stop
 * @param options  `hangup`: a SIGHUP drains the run too. It never stops one: a closing terminal sends several
 */
export async function untilDone(
  handle: Handle,
  drainMs: number,
  log: Logger,
  { hangup = false }: { hangup?: boolean } = {},
): Promise<Ended> {
  let signals = 0
  const ending = new Ending(handle, drainMs, log)
  const onSignal = (signal: NodeJS.Signals): void => {
    if (signals > 0) {
      if (signal === 'SIGHUP') return
      signals += 1
      ending.stop(AT_ONCE_MS)
      return
    }
    signals = 1
    log.debug(`${signal}: draining; send it again to stop at once`)
    ending.drain()
  }
  // The listeners stay: a second signal may arrive while the run is concluded.
  for (const signal of ['SIGINT', 'SIGTERM', ...(hangup ? (['SIGHUP'] as const) : [])] as const) {
    process.on(signal, onSignal)
  }
  return { outcome: await ending.outcome(), signals }
}

/**
 * Waits for the end of a run, which the abortion of `signal` drains.
 *
 * @param drainMs  after this time the drain becomes a stop
 * @returns null: the run was stopped and did not report what it lost in time
 */
export function untilDrained(
  handle: Handle,
  drainMs: number,
  log: Logger,
  signal: AbortSignal,
): Promise<Outcome | null> {
  const ending = new Ending(handle, drainMs, log)
  if (signal.aborted) ending.drain()
  else signal.addEventListener('abort', () => ending.drain(), { once: true })
  return ending.outcome()
}

/** Drains a run or stops it, within bounds of time. */
class Ending {
  readonly #handle: Handle
  readonly #drainMs: number
  readonly #log: Logger
  readonly #stopped = withResolvers<null>()
  #timer: NodeJS.Timeout | undefined

  constructor(handle: Handle, drainMs: number, log: Logger) {
    this.#handle = handle
    this.#drainMs = drainMs
    this.#log = log
  }

  drain(): void {
    this.#handle.drain()
    this.#timer = setTimeout(() => {
      this.#log.warn(
        `not drained within shutdown.timeout (${this.#drainMs} ms): stopping; what was not shipped is dropped and counted`,
      )
      this.stop(STOP_MS)
    }, this.#drainMs)
  }

  /** @param ms how long the run may take to report what it lost */
  stop(ms: number): void {
    this.#handle.stop()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#stopped.resolve(null), ms)
  }

  async outcome(): Promise<Outcome | null> {
    const outcome = await Promise.race([this.#handle.done, this.#stopped.promise])
    clearTimeout(this.#timer)
    return outcome
  }
}
