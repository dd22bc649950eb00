/**
 * Thread entry of the shipper. Pairs, counters and commands pass through shared memory; what is rare is posted.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { EXIT_RUNTIME, failureOf, InterceptorError } from '../errors.ts'
import { ShipLedger } from '../ledger/ship-ledger.ts'
import { FoldedLog } from '../log/folded-log.ts'
import { RingConsumer } from '../ring/byte-ring.ts'
import { Doorbell } from '../ring/doorbell.ts'
import { Control } from '../thread/control.ts'
import type { FromWorker } from '../thread/messages.ts'
import { createSink } from './create-sink.ts'
import { openStore } from './left-pairs.ts'
import { Shipper } from './shipper.ts'
import { OutputProgress, ShipStatus } from './status.ts'
import type { ShipWorkerData } from './worker-data.ts'

/** Repeated lines are folded over this period: an unreachable broker costs one line per minute. */
const LOG_FOLD_MS = 60_000

const post = (message: FromWorker, transfer: readonly ArrayBuffer[] = []): void =>
  parentPort?.postMessage(message, transfer)

const data = workerData as ShipWorkerData
const bell = new Doorbell(data.ownBell)
const control = new Control(data.control)
const ledger = new ShipLedger(data.counters)
const log = new FoldedLog((record) => post({ t: 'log', ...record }), { periodMs: LOG_FOLD_MS })
const limit = data.limit ?? Infinity
const rings = data.rings.map((ring, slot) => {
  const assemblerBell = data.assemblerBells[slot]
  return new RingConsumer(ring, assemblerBell === null ? null : new Doorbell(assemblerBell))
})

try {
  const context = { ledger, limit, wake: () => bell.ring() }
  const progress = new OutputProgress(data.status)
  // Where input waits for the output, a shipper is not replaced.
  const isReplaced = data.whenFull === 'drop'
  const { queue, batches } = openStore(data.left, isReplaced ? post : null)
  const sink = await createSink(data.sink, { context, log, progress, batches, post, retries: isReplaced })
  const status = new ShipStatus(data.status)
  // Loaded only in an agent.
  const tap = data.tap === null ? null : await (await import('./tap/tap.ts')).Tap.open(data.tap, status, log)
  const shipper = new Shipper({
    rings,
    queue,
    bell,
    control,
    ledger,
    status,
    log,
    sink,
    tap,
    whenFull: data.whenFull,
    limit,
    bufferBytes: data.bufferBytes,
    maxAgeMs: data.maxAgeMs,
    shutdownTimeoutMs: data.shutdownTimeoutMs,
    onOutputEnded: () => post({ t: 'outputEnded' }),
  })
  post({ t: 'ready' })
  const { failure } = await shipper.run()
  post(failure === null ? { t: 'done' } : { t: 'failed', message: failure, exitCode: EXIT_RUNTIME, hint: null })
} catch (error) {
  // Anything else is a bug: the thread ends, and the supervisor replaces it.
  if (!(error instanceof InterceptorError)) throw error
  post({ t: 'failed', ...failureOf(error) })
}
