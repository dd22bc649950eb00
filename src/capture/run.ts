/**
 * Runs a capture worker: opens the rings for writing, runs the source to its end, closes every ring, reports the
 * outcome.
 */
import type { MessagePort } from 'node:worker_threads'
import { failureOf, InterceptorError } from '../errors.ts'
import { parseTunnels } from '../net/tunnels.ts'
import { RESTING_RING_BYTES, RingProducer } from '../ring/byte-ring.ts'
import { Doorbell } from '../ring/doorbell.ts'
import type { FramePlace } from '../ring/frame-place.ts'
import { OpaqueMarks } from '../ring/opaque-marks.ts'
import { Control } from '../thread/control.ts'
import { Mailbox } from '../thread/mailbox.ts'
import type { FromWorker } from '../thread/messages.ts'
import type { CaptureWarmUp } from './af-packet/warm-up.ts'
import type { FileContext } from './files/file-input.ts'
import { readFiles } from './files/file-source.ts'
import { memoryOf, ownMemory } from './files/window.ts'
import type { FrameFilter } from './filter/frame-filter.ts'
import { Intake } from './intake/intake.ts'
import type { PlainFrames } from './intake/plain-frames.ts'
import type { CaptureWorkerData, SourceSpec, ToCapture } from './worker-data.ts'

/** A thread that the assembler shares. */
export interface CaptureThread extends Pick<FileContext, 'afterRead'> {
  /** Where files are read to, and where the assembler finds their frames. */
  place: FramePlace
  plain: PlainFrames
}

/**
 * @param port receives the main thread's messages, which only exist for packet sockets
 * @param thread what a thread that other stages share adds; null: the stage has one of its own
 * @throws any bug's exception: the thread ends, its rings stay open, and the supervisor replaces it
 */
export async function runCapture(
  data: CaptureWorkerData,
  port: MessagePort,
  post: (message: FromWorker) => void,
  thread: CaptureThread | null = null,
): Promise<void> {
  const control = new Control(data.control)
  const bell = new Doorbell(data.ownBell)
  const place = thread?.place ?? null
  const resting = data.whenFull === 'drop' ? RESTING_RING_BYTES : undefined
  const rings = data.rings.map((ring, slot) => new RingProducer(ring, new Doorbell(data.assemblerBells[slot]), resting))
  const sink = new Intake({
    rings,
    place,
    plain: thread?.plain ?? null,
    counters: data.counters,
    whenFull: data.whenFull,
    bell,
    control,
    tunnels: parseTunnels(data.tunnels),
    secret: data.secret,
    pairRings: data.pairRings,
    marks: data.marks.map((shared) => new OpaqueMarks(shared)),
    filter: await fileFilter(data.source),
  })
  const warmUp = data.source.kind === 'af-packet' ? await prepare(data, control) : null
  post({ t: 'ready' })
  let outcome: FromWorker = { t: 'done' }
  try {
    const afterRead = thread?.afterRead ?? (() => null)
    await runSource(data, port, { sink, place, control, bell, post, afterRead, warmUp })
  } catch (error) {
    if (!(error instanceof InterceptorError)) throw error
    outcome = { t: 'failed', ...failureOf(error) }
  }
  sink.finish()
  post(outcome)
}

/** The filter of file input; live sources filter in the kernel. */
async function fileFilter(source: SourceSpec): Promise<FrameFilter | null> {
  if (source.kind !== 'file' || source.filter === '') return null
  const { ExpressionFilter } = await import('./filter/frame-filter.ts')
  return new ExpressionFilter(source.filter)
}

/** Loads code now, and the rest of the warm-up's while no frame waits. */
async function prepare({ rings, warmUpShare }: CaptureWorkerData, control: Control): Promise<CaptureWarmUp | null> {
  const { CaptureWarmUp } = await import('./af-packet/warm-up.ts')
  const { bindAfPacket } = await import('./af-packet/source.ts')
  bindAfPacket()
  return warmUpShare > 0 ? new CaptureWarmUp(rings.length, warmUpShare, control) : null
}

interface RunContext extends Omit<FileContext, 'memory'> {
  sink: Intake
  place: FramePlace | null
  /** Of packet sockets; null: none. */
  warmUp: CaptureWarmUp | null
}

/** Loads live sources only when used: reading files needs neither the FFI nor libpcap. */
async function runSource(
  { source, counters, secret }: CaptureWorkerData,
  port: MessagePort,
  context: RunContext,
): Promise<void> {
  const { sink, place, control, post, warmUp } = context
  switch (source.kind) {
    case 'file':
      return readFiles(source, { ...context, memory: place === null ? ownMemory() : memoryOf(place) })
    case 'af-packet': {
      const mail = new Mailbox<ToCapture>(port, control)
      return (await import('./af-packet/source.ts')).runAfPacket(source, {
        sink,
        control,
        mail,
        counters,
        secret,
        post,
        warmUp: () => warmUp?.step() ?? Number.POSITIVE_INFINITY,
      })
    }
    case 'cap':
      return (await import('./cap/source.ts')).runCap(source, sink, control, post)
  }
}
