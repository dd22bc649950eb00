/** Collects a run's observable state (ledger/observation.ts) from shared memory and the supervisor's own fields. */
import type { Observation, RingObservation, ThreadObservation } from '../ledger/observation.ts'
import type { RunLedger } from '../ledger/run-ledger.ts'
import { RingLevel } from '../ring/byte-ring.ts'
import { threadCpuSeconds } from '../thread/cpu-time.ts'
import type { AssemblerPool } from './assembler-pool.ts'
import type { CaptureSlot } from './capture-slot.ts'
import type { Shedding } from './shedding.ts'
import type { ShipperSlot } from './shipper-slot.ts'
import type { TargetSet } from './target-set.ts'

export interface Observed {
  ledger: RunLedger
  captures: readonly CaptureSlot[]
  targets: TargetSet | null
  assemblers: AssemblerPool | null
  shipper: ShipperSlot | null
  shedding: Shedding | null
  pairRings: readonly SharedArrayBuffer[]
  /** Bound of what waits for the output. */
  bufferBytes: number
}

/** Main thread: the CPU time of `main` is the caller's. */
export function observe(observed: Observed): Observation {
  const { ledger, captures, targets, assemblers, shipper, shedding, pairRings, bufferBytes } = observed
  const status = shipper?.status
  return {
    blocks: ledger.blocks,
    interfaces: targets?.observe() ?? [],
    rings: rings(captures, pairRings),
    threads: threads(captures, assemblers, shipper),
    buffer: { bytes: status?.bytes ?? 0, limitBytes: bufferBytes, oldestMs: status?.oldestMs ?? 0 },
    outputReachable: status?.reachable ?? null,
    shedding: shedding?.observe() ?? { cpu: 1, overload: 1 },
    tap: { readers: status?.tapReaders ?? 0, notShown: status?.tapNotShown ?? 0 },
  }
}

function levelOf(ring: SharedArrayBuffer): { usedBytes: number; capacityBytes: number } {
  const { usedBytes, capacityBytes } = new RingLevel(ring)
  return { usedBytes, capacityBytes }
}

/** The rings of running capture workers, and of all assemblers. */
function rings(captures: readonly CaptureSlot[], pairRings: readonly SharedArrayBuffer[]): RingObservation[] {
  const running = captures.filter(({ worker }) => worker.started)
  const frames = running.flatMap(({ slot, rings: own }) =>
    own.map((ring, assembler) => ({
      kind: 'frames' as const,
      from: `capture-${slot}`,
      to: `assemble-${assembler}`,
      ...levelOf(ring),
    })),
  )
  const pairs = pairRings.map((ring, assembler) => ({
    kind: 'pairs' as const,
    from: `assemble-${assembler}`,
    to: 'ship-0',
    ...levelOf(ring),
  }))
  return [...frames, ...pairs]
}

function threads(
  captures: readonly CaptureSlot[],
  assemblers: AssemblerPool | null,
  shipper: ShipperSlot | null,
): ThreadObservation[] {
  const main: ThreadObservation = {
    role: 'main',
    slot: 0,
    state: 'ready',
    cpuSeconds: threadCpuSeconds(),
    silentMs: 0,
    restarts: 0,
    crashLooping: false,
  }
  const others = [...captures.map(({ worker }) => worker.observe()), shipper?.worker.observe() ?? null]
  return [main, ...others.filter((thread) => thread !== null), ...(assemblers?.observe() ?? [])]
}
