/**
 * A capture worker's whole life, apart from its thread: opens its ends of the rings, runs its source to the end, closes
 * every ring, reports how it ended.
 */
import type { MessagePort } from 'node:worker_threads'
import { failureOf, InterceptorError } from '../errors.ts'
import { parseTunnels } from '../net/tunnels.ts'
import { RingProducer } from '../ring/byte-ring.ts'
import { Doorbell } from '../ring/doorbell.ts'
import { Control } from '../thread/control.ts'
import { Mailbox } from '../thread/mailbox.ts'
import type { FromWorker } from '../thread/messages.ts'
import type { FileContext } from './files/file-input.ts'
import { readFiles } from './files/file-source.ts'
import type { FrameFilter } from './filter/frame-filter.ts'
import { Intake } from './intake/intake.ts'
import { warmUp } from './intake/warm-up.ts'
import type { CaptureWorkerData, SourceSpec, ToCapture } from './worker-data.ts'

/**
 * @param port receives what the main thread posts; only packet sockets get more than commands
 * @throws what a fault of the program throws: the thread ends, its rings stay open, and the supervisor replaces it
 */
export async function runCapture(
  data: CaptureWorkerData,
  port: MessagePort,
  post: (message: FromWorker) => void,
): Promise<void> {
  const control = new Control(data.control)
  const bell = new Doorbell(data.ownBell)
  const rings = data.rings.map((ring, slot) => new RingProducer(ring, new Doorbell(data.assemblerBells[slot])))
  const sink = new Intake({
    rings,
    counters: data.counters,
    whenFull: data.whenFull,
    bell,
    control,
    tunnels: parseTunnels(data.tunnels),
    filter: await fileFilter(data.source),
  })
  if (data.source.kind === 'af-packet') await prepare(data.rings.length)
  post({ t: 'ready' })
  let outcome: FromWorker = { t: 'done' }
  try {
    await runSource(data, port, { sink, control, bell, post })
  } catch (error) {
    if (!(error instanceof InterceptorError)) throw error
    outcome = { t: 'failed', ...failureOf(error) }
  }
  sink.finish()
  post(outcome)
}

/** Live sources filter in the kernel. */
async function fileFilter(source: SourceSpec): Promise<FrameFilter | null> {
  if (source.kind !== 'file' || source.filter === '') return null
  const { ExpressionFilter } = await import('./filter/frame-filter.ts')
  return new ExpressionFilter(source.filter)
}

/** Compiles, loads and binds what would be while the first frames wait in a kernel's ring. */
async function prepare(lanes: number): Promise<void> {
  warmUp(lanes)
  const { bindAfPacket } = await import('./af-packet/source.ts')
  bindAfPacket()
}

interface RunContext extends FileContext {
  sink: Intake
}

/** Live sources are loaded where they are used: reading files needs neither the FFI nor libpcap. */
async function runSource(
  { source, counters }: CaptureWorkerData,
  port: MessagePort,
  context: RunContext,
): Promise<void> {
  const { sink, control, post } = context
  switch (source.kind) {
    case 'file':
      return readFiles(source, context)
    case 'af-packet': {
      const mail = new Mailbox<ToCapture>(port, control)
      return (await import('./af-packet/source.ts')).runAfPacket(source, { sink, control, mail, counters, post })
    }
    case 'cap':
      return (await import('./cap/source.ts')).runCap(source, sink, control, post)
  }
}
