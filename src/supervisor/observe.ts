/** Puts together what a run shows of itself (observation.ts), out of shared memory and the supervisor's own books. */
import type { CounterBlock } from '../ledger.ts'
import type { Observation, RingObservation, ThreadObservation } from '../observation.ts'
import { ringFill } from '../ring/byte-ring.ts'
import type { ShipStatus } from '../ship/status.ts'
import { threadCpuSeconds } from '../thread-usage.ts'
import type { AssemblerPool } from './assembler-pool.ts'
import type { CaptureSlot } from './capture-slot.ts'
import type { TargetSet } from './target-set.ts'
import type { WorkerSlot } from './worker-slot.ts'

export interface Observed {
  /** Counters that belong to no interface. */
  blocks: CounterBlock[]
  targets: TargetSet | null
  captures: readonly CaptureSlot[]
  assemblers: AssemblerPool | null
  shipper: WorkerSlot | null
  pairRings: readonly SharedArrayBuffer[]
  status: ShipStatus
  bufferBytes: number
}

/** Main thread: the CPU time of `main` is the caller's. */
export function observe({ blocks, targets, status, bufferBytes, ...parts }: Observed): Observation {
  return {
    blocks,
    interfaces: targets?.observe() ?? [],
    rings: rings(parts),
    threads: threads(parts),
    buffer: { bytes: status.bytes, limitBytes: bufferBytes, oldestMillis: status.oldestMillis },
    outputReachable: status.reachable,
  }
}

/** Of capture workers that run, and all assemblers. */
function rings({ captures, pairRings }: Pick<Observed, 'captures' | 'pairRings'>): RingObservation[] {
  const running = captures.filter(({ worker }) => worker.started)
  const frames = running.flatMap(({ slot, rings: own }) =>
    own.map((ring, assembler) => ({
      kind: 'frames' as const,
      from: `capture-${slot}`,
      to: `assemble-${assembler}`,
      ...ringFill(ring),
    })),
  )
  const pairs = pairRings.map((ring, assembler) => ({
    kind: 'pairs' as const,
    from: `assemble-${assembler}`,
    to: 'ship-0',
    ...ringFill(ring),
  }))
  return [...frames, ...pairs]
}

function threads({
  captures,
  assemblers,
  shipper,
}: Pick<Observed, 'captures' | 'assemblers' | 'shipper'>): ThreadObservation[] {
  const now = performance.now()
  const main = { role: 'main', slot: 0, cpuSeconds: threadCpuSeconds(), silentMillis: 0, restarts: 0 }
  const others = [...captures.map(({ worker }) => worker.observe(now)), shipper?.observe(now) ?? null]
  return [main, ...others.filter((thread) => thread !== null), ...(assemblers?.observe(now) ?? [])]
}
