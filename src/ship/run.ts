/** Runs the shipper: opens its rings and its output, ships until the end of the input, reports the outcome. */
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

/** Passes a message to the main thread. */
export type PostFromShipper = (message: FromWorker, transfer?: readonly ArrayBuffer[]) => void

/**
 * @param onOpen called with the shipper before it starts
 * @throws any bug's exception: the supervisor replaces the shipper
 */
export async function runShipper(
  data: ShipWorkerData,
  post: PostFromShipper,
  onOpen: (shipper: Shipper) => void = () => {},
): Promise<void> {
  const log = new FoldedLog((record) => post({ t: 'log', ...record }), { periodMs: LOG_FOLD_MS })
  // A line that is held back, as that of a reader of the tap, has to be written also where none like it follows.
  const flushing = setInterval(() => log.flush(), LOG_FOLD_MS).unref()
  try {
    const shipper = await openShipper(data, post, log)
    onOpen(shipper)
    post({ t: 'ready' })
    const { failure } = await shipper.run()
    log.flush()
    post(failure === null ? { t: 'done' } : { t: 'failed', message: failure, exitCode: EXIT_RUNTIME, hint: null })
  } catch (error) {
    if (!(error instanceof InterceptorError)) throw error
    log.flush()
    post({ t: 'failed', ...failureOf(error) })
  } finally {
    clearInterval(flushing)
  }
}

async function openShipper(data: ShipWorkerData, post: PostFromShipper, log: FoldedLog): Promise<Shipper> {
  const bell = new Doorbell(data.ownBell)
  const ledger = new ShipLedger(data.counters)
  const limit = data.limit ?? Infinity
  const rings = data.rings.map((ring, slot) => {
    const assemblerBell = data.assemblerBells[slot]
    const consumer = new RingConsumer(ring, assemblerBell === null ? null : new Doorbell(assemblerBell))
    // What an earlier shipper took and had not released when it ended: pairs that go through the queue would not release it.
    consumer.releaseTaken()
    return consumer
  })
  const context = { ledger, limit, wake: () => bell.ring() }
  const status = new ShipStatus(data.status)
  // Where input waits for the output, a shipper is not replaced.
  const isReplaced = data.whenFull === 'drop'
  const { queue, batches } = openStore(data.left, isReplaced ? post : null)
  const parts = { context, log, progress: new OutputProgress(data.status), batches, post, retries: isReplaced }
  return new Shipper({
    rings,
    queue,
    bell,
    control: new Control(data.control),
    ledger,
    status,
    log,
    sink: await createSink(data.sink, parts),
    // Loaded only in an agent.
    tap: data.tap === null ? null : await (await import('./tap/tap.ts')).Tap.open(data.tap, status, log),
    whenFull: data.whenFull,
    limit,
    bufferBytes: data.bufferBytes,
    maxAgeMs: data.maxAgeMs,
    shutdownTimeoutMs: data.shutdownTimeoutMs,
    onOutputEnded: () => post({ t: 'outputEnded' }),
  })
}
