/** Waiting for the end of a run, and the signals that bring it about. */
import type { Logger } from '../log/logger.ts'
import type { Outcome, PipelineHandle } from '../supervisor/options.ts'

/** How long a pipeline stopped for taking too long may take to say what it lost. Milliseconds. */
const STOP_MS = 4000

/** The same where a second signal asked to stop at once. */
const AT_ONCE_MS = 500

/** How a run ended. */
export interface Ended {
  /** Null: stopped at once, and it did not say in time what it lost. */
  outcome: Outcome | null
  /** SIGINT and SIGTERM received. */
  signals: number
}

/**
 * Waits for the end of a run. The first SIGINT or SIGTERM drains it, the second stops it at once.
 *
 * @param drainMs a drain that takes longer becomes a stop
 */
export async function untilDone(
  handle: Pick<PipelineHandle, 'done' | 'drain' | 'stop'>,
  drainMs: number,
  log: Logger,
): Promise<Ended> {
  let signals = 0
  let timer: NodeJS.Timeout | undefined
  let giveUp: (nothing: null) => void = () => {}
  const stopped = new Promise<null>((resolve) => {
    giveUp = resolve
  })
  const stop = (ms: number): void => {
    handle.stop()
    clearTimeout(timer)
    timer = setTimeout(giveUp, ms, null)
  }
  const onSignal = (signal: NodeJS.Signals): void => {
    signals += 1
    if (signals > 1) {
      stop(AT_ONCE_MS)
      return
    }
    log.debug(`${signal}: finishing what is there; again to stop at once`)
    handle.drain()
    timer = setTimeout(() => {
      log.warn(`not drained within shutdown.timeout (${drainMs} ms): stopping`)
      stop(STOP_MS)
    }, drainMs)
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  // Never taken off again: a second signal may come while the run is being concluded.
  const outcome = await Promise.race([handle.done, stopped])
  clearTimeout(timer)
  return { outcome, signals }
}
