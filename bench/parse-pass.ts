/**
 * The parse stage on one core: a capture's bytes in memory → frames → ring → reassembly → HTTP → pairs, encoded and let
 * go. Everything the threads do but the waiting.
 */
import { Assembler, type AssemblerOptions, assemblerArena, INPUT_BLOCK_BYTES } from '../src/assemble/assembler.ts'
import { FileReader } from '../src/capture/files/file-reader.ts'
import { Intake } from '../src/capture/intake/intake.ts'
import { defaultConfig } from '../src/config/load.ts'
import { ASSEMBLE_COUNTERS, allocateCounters, CAPTURE_COUNTERS } from '../src/ledger/counters.ts'
import { allocateRing, RingConsumer, RingProducer } from '../src/ring/byte-ring.ts'
import { Doorbell } from '../src/ring/doorbell.ts'
import { Control } from '../src/thread/control.ts'

const RING_BYTES = 4 * 1024 * 1024
const STEP_BYTES = 512 * 1024

const CONFIG = defaultConfig()
const OPTIONS: AssemblerOptions = {
  node: 'bench',
  filter: CONFIG.filter,
  everything: true,
  messageBytes: CONFIG.limits.messageBytes,
  pairBytes: CONFIG.limits.pairBytes,
  responseTimeoutMicros: CONFIG.limits.responseTimeout * 1000,
  incompleteResponses: false,
  idleTimeoutMicros: CONFIG.limits.idleTimeout * 1000,
  flows: CONFIG.limits.flows,
  keep: 'both',
  clusterNetworks: [],
  stateBytes: 1024 * 1024 * 1024,
  poolBytes: 64 * 1024 * 1024,
}
/** One for all passes, as a thread has one for its life. */
const ARENA = assemblerArena(OPTIONS)

/** What one pass came to. */
export interface ParsePass {
  pairs: number
  frames: number
  /** Wall time. */
  ms: number
  /** CPU time of the process, its compiler and garbage collector included. */
  cpuMs: number
  encodedBytes: number
}

/** Receives a finished pair, `length` bytes of MessagePack from `at` on, which are overwritten afterwards. */
type OnPair = (bytes: Uint8Array, at: number, length: number) => void

/** One pass over the capture, with new rings and tables. @param onPair receives the pairs, if given */
export function parsePass(file: Uint8Array, onPair: OnPair | null = null): ParsePass {
  const ring = allocateRing(RING_BYTES)
  const bell = new Doorbell(Doorbell.allocate())
  const captureCounts = allocateCounters(CAPTURE_COUNTERS)
  const counts = allocateCounters(ASSEMBLE_COUNTERS)
  const consumer = new RingConsumer(ring, null)
  let encodedBytes = 0
  const assembler = new Assembler(ARENA, OPTIONS, counts, {
    emit: (at, length) => {
      encodedBytes += length
      onPair?.(ARENA.bytes, at, length)
      return true
    },
  })
  const intake = new Intake({
    rings: [new RingProducer(ring, bell)],
    counters: captureCounts,
    whenFull: 'wait',
    bell,
    control: new Control(Control.allocate()),
  })
  const reader = new FileReader({
    sink: intake,
    interfaceId: (name) => {
      if (captureCounts[CAPTURE_COUNTERS.index.seen] === 0) {
        intake.addInterface(0, { name: name ?? 'bench', vantage: 'file', mesh: null, domain: 0, vantagePoint: null })
      }
      return 0
    },
    damage: () => true,
  })
  const drain = (): void => {
    for (;;) {
      const length = assembler.wholeRecords(consumer.peek(assembler.input, INPUT_BLOCK_BYTES))
      if (length === 0) return
      consumer.release(length)
      assembler.consume(length)
    }
  }
  const start = process.hrtime.bigint()
  const cpuStart = process.cpuUsage()
  for (let at = 0; at < file.length; at += STEP_BYTES) {
    reader.push(file.subarray(at, Math.min(at + STEP_BYTES, file.length)))
    intake.flush()
    drain()
  }
  reader.end()
  intake.finish()
  drain()
  assembler.finish()
  const ms = Number(process.hrtime.bigint() - start) / 1e6
  const { user, system } = process.cpuUsage(cpuStart)
  return {
    pairs: counts[ASSEMBLE_COUNTERS.index.pairsKept],
    frames: captureCounts[CAPTURE_COUNTERS.index.queued],
    ms,
    cpuMs: (user + system) / 1000,
    encodedBytes,
  }
}
