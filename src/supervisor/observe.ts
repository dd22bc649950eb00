/** Collects a run's observable state (ledger/observation.ts) from shared memory and the supervisor's own fields. */
import type { Observation, ThreadObservation } from '../ledger/observation.ts'
import type { RunLedger } from '../ledger/run-ledger.ts'
import { threadCpuSeconds } from '../thread/cpu-time.ts'
import type { Shedding } from './cpu/shedding.ts'
import type { RunTargets } from './targets/run-targets.ts'
import type { RunWorkers } from './workers/run-workers.ts'

export interface Observed {
  ledger: RunLedger
  targets: RunTargets
  /** Null: there are none yet. */
  workers: RunWorkers | null
  shedding: Shedding | null
  /** Bound of what waits for the output. */
  bufferBytes: number
}

/** Main thread: the CPU time of `main` is the caller's. */
export function observe({ ledger, targets, workers, shedding, bufferBytes }: Observed): Observation {
  const status = workers?.shipper.status
  return {
    blocks: ledger.blocks,
    interfaces: targets.observe(),
    rings: workers?.rings() ?? [],
    threads: [mainThread(), ...(workers?.threads() ?? [])],
    buffer: { bytes: status?.bytes ?? 0, limitBytes: bufferBytes, oldestMs: status?.oldestMs ?? 0 },
    outputReachable: status?.reachable ?? null,
    shedding: shedding?.observe() ?? { cpu: 1, overload: 1 },
    tap: { open: status?.tapOpen ?? false, readers: status?.tapReaders ?? 0, notShown: status?.tapNotShown ?? 0 },
  }
}

const mainThread = (): ThreadObservation => ({
  role: 'main',
  slot: 0,
  state: 'ready',
  cpuSeconds: threadCpuSeconds(),
  silentMs: 0,
  restarts: 0,
  crashLooping: false,
})
