/** Waits for the end of a run and handles the signals that end it. */
import type { Logger } from '../log/logger.ts'
import type { Outcome, PipelineHandle } from '../supervisor/options.ts'

/** How long a pipeline that is stopped after a drain timeout may take to report what it lost. Milliseconds. */
const STOP_MS = 4000

/** The same after a second signal. */
const AT_ONCE_MS = 500

/** How a run ended. */
export interface Ended {
  /** Null: the run was stopped and did not report what it lost in time. */
  outcome: Outcome | null
  /** Number of signals that asked it to end. */
  signals: number
}

/**
 * Waits for the end of a run. The first SIGINT or SIGTERM drains it, the second stops it at once.
 *
 * @param drainMs  after this time the drain becomes a stop
 * @param options  `hangup`: a SIGHUP drains the run too. It never stops one: a closing terminal sends several
 */
export async function untilDone(
  handle: Pick<PipelineHandle, 'done' | 'drain' | 'stop'>,
  drainMs: number,
  log: Logger,
  options: { hangup: boolean } = { hangup: false },
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
    if (signals > 0) {
      if (signal === 'SIGHUP') return
      signals += 1
      stop(AT_ONCE_MS)
      return
    }
    signals = 1
    log.debug(`${signal}: draining; send it again to stop at once`)
    handle.drain()
    timer = setTimeout(() => {
      log.warn(`not drained within shutdown.timeout (${drainMs} ms): stopping`)
      stop(STOP_MS)
    }, drainMs)
  }
  // The listeners stay: a second signal may arrive while the run is concluded.
  for (const signal of ['SIGINT', 'SIGTERM', ...(options.hangup ? (['SIGHUP'] as const) : [])] as const) {
    process.on(signal, onSignal)
  }
  const outcome = await Promise.race([handle.done, stopped])
  clearTimeout(timer)
  return { outcome, signals }
}
