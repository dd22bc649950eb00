/**
 * A capture worker's whole life, apart from its thread: opens its ends of the rings, runs its source to the end, closes
 * every ring, says how it went. Never throws.
 */
import { Control } from '../control.ts'
import type { CaptureWorkerData, FromWorker, SourceSpec } from '../messages.ts'
import { RingProducer } from '../ring/byte-ring.ts'
import { Doorbell } from '../ring/doorbell.ts'
import { type FileSourceContext, readFiles } from './files/file-source.ts'
import { Intake } from './intake.ts'

/** Exit code of a runtime error (contract). */
const RUNTIME_ERROR = 1

export async function runCapture(data: CaptureWorkerData, post: (message: FromWorker) => void): Promise<void> {
  const control = new Control(data.control)
  const bell = new Doorbell(data.ownBell)
  const rings = data.rings.map((ring, slot) => new RingProducer(ring, new Doorbell(data.assemblerBells[slot]!)))
  const sink = new Intake({ rings, counters: data.counters, whenFull: data.whenFull, bell, control })
  post({ t: 'ready' })
  let outcome: FromWorker = { t: 'done' }
  try {
    await runSource(data.source, { sink, control, bell, post })
  } catch (error) {
    outcome = { t: 'failed', message: (error as Error).message, exitCode: RUNTIME_ERROR }
  }
  sink.finish()
  post(outcome)
}

async function runSource(source: SourceSpec, context: FileSourceContext): Promise<void> {
  switch (source.kind) {
    case 'file':
      return readFiles(source, context)
    default:
      throw new Error(`capture source ${source.kind} is not available`)
  }
}
