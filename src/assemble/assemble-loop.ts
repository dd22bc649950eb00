/**
 * The work of an assembler slot: reads the frame rings block by block until all are closed and empty. It never waits by
 * itself, so that the same loop works in a thread, which sleeps between two passes, and on an event loop.
 */
import { allocateRing, RESTING_RING_BYTES, RingConsumer, RingProducer } from '../ring/byte-ring.ts'
import { Doorbell } from '../ring/doorbell.ts'
import { OpaqueMarks } from '../ring/opaque-marks.ts'
import type { PairSelection, PairSelector } from '../select/selector.ts'
import type { InterfaceInfo } from '../target/interface-info.ts'
import { COMMAND_STOP, Control } from '../thread/control.ts'
import { CpuTimeRecorder } from '../thread/cpu-time.ts'
import { Mailbox } from '../thread/mailbox.ts'
import { restMs } from '../thread/pace.ts'
import { Assembler, assemblerMemory } from './assembler.ts'
import { INPUT_BLOCK_BYTES, type ProgramMemory } from './host/memory.ts'
import { useProgram } from './host/program.ts'
import { PairRingSink } from './pair-ring-sink.ts'
import type { PairSink } from './pair-sink.ts'
import { warmUpAssembler } from './warm-up.ts'
import type { AssembleTask, FromAssembler, KnownInterface, ToAssembler } from './worker-data.ts'

const WARM_UP_RING_BYTES = 256 * 1024
/** Least pause between two rounds of the warm-up: all end before the memory of the start is released, unless limits.cpu prolongs them. */
const ROUND_MS = 250
/** A ring that holds no more than this has ticks of the packet clock at most; a request and its response need more. */
const TICKS_BYTES = 512
/** Longest sleep between two heartbeats. */
const REST_SLICE_MS = 500

/** What a pass over the rings found: frames; nothing; nothing, and nothing will follow. */
export type Pass = 'worked' | 'idle' | 'ended'

export class AssembleLoop {
  readonly #task: AssembleTask
  readonly #control: Control
  readonly #cpuTime: CpuTimeRecorder
  readonly #rings: readonly RingConsumer[]
  /** One per ring in live capture, else none. */
  readonly #marks: readonly OpaqueMarks[]
  readonly #pairs: RingProducer
  readonly #assembler: Assembler
  readonly #mail: Mailbox<ToAssembler>
  readonly #handle = (message: ToAssembler): void => this.#apply(message)

  /** @param bell the slot's own, on which the loop waits for room in the pair ring */
  private constructor(
    task: AssembleTask,
    selector: PairSelector | null,
    post: (message: FromAssembler) => void,
    bell: Doorbell,
  ) {
    this.#task = task
    this.#control = new Control(task.control)
    this.#cpuTime = new CpuTimeRecorder(this.#control)
    this.#rings = task.rings.map((ring, i) => {
      const capture = task.captureBells[i]
      return new RingConsumer(ring, capture === null ? null : new Doorbell(capture))
    })
    this.#marks = task.marks.map((shared) => new OpaqueMarks(shared))
    // Those of an assembler that has failed: this one knows none of its flows.
    for (const marks of this.#marks) marks.clear()
    const resting = task.whenFull === 'drop' ? RESTING_RING_BYTES : undefined
    this.#pairs = new RingProducer(task.pairRing, new Doorbell(task.shipperBell), resting)
    this.#mail = new Mailbox<ToAssembler>(task.port, this.#control)
    useProgram(task.program)
    const memory = assemblerMemory(task.options)
    const createSink = (ring: RingProducer) => new PairRingSink(memory, ring, task.whenFull, bell, this.#control)
    // Frames that arrive during that time wait in the rings.
    post({ t: 'ready' })
    if (task.warmUpShare > 0) warmUpLive(memory, task, createSink, (workedMs) => this.#rest(workedMs, bell))
    const announced = (id: number, info: InterfaceInfo): void => post({ t: 'interface', id, info })
    this.#assembler = new Assembler(memory, task.options, task.counters, createSink(this.#pairs), announced, selector)
    for (const known of task.interfaces) this.#add(known)
    this.#assembler.setAddresses(task.addresses)
  }

  /** Opens the rings, posts that it is ready, and for live capture warms the assembler up. @throws InterceptorError for a selection that cannot be parsed */
  static async open(task: AssembleTask, post: (message: FromAssembler) => void, bell: Doorbell): Promise<AssembleLoop> {
    return new AssembleLoop(task, await selectorOf(task.options.selection), post, bell)
  }

  /** Whether `pass` has something to do. */
  readonly ready = (): boolean =>
    this.#rings.some((ring) => !ring.empty || ring.finished) ||
    this.#control.hasMail ||
    this.#control.command === COMMAND_STOP

  /**
   * Processes one block of each ring. A failure of the assembler is thrown; pairs that were complete are in the ring then.
   *
   * @returns `ended` also after COMMAND_STOP; call `end` then
   */
  pass(): Pass {
    if (this.#control.command === COMMAND_STOP) return 'ended'
    this.#control.beat()
    this.#cpuTime.update(performance.now())
    let worked = 0
    try {
      for (let i = 0; i < this.#rings.length; i++) worked += this.#processBlock(this.#rings[i], this.#marks[i] ?? null)
    } finally {
      // Also after a failure: complete pairs have been counted as kept.
      this.#pairs.flush()
    }
    if (worked > 0) return 'worked'
    return this.#rings.every((ring) => ring.finished) ? 'ended' : 'idle'
  }

  /** Ends the connections and closes the pair ring. */
  end(): void {
    this.#assembler.finish()
    this.#pairs.close()
    this.#task.port.close()
  }

  /** Rests after a part of the warm-up, as long as no frame waits. @returns whether the warm-up continues */
  #rest(workedMs: number, bell: Doorbell): boolean {
    const control = this.#control
    const isUsed = (): boolean =>
      control.command === COMMAND_STOP || this.#rings.some((ring) => ring.used > TICKS_BYTES || ring.finished)
    control.beat()
    const endMs = performance.now() + Math.max(ROUND_MS, restMs(workedMs, this.#task.warmUpShare))
    for (let nowMs = performance.now(); nowMs < endMs && !isUsed(); nowMs = performance.now()) {
      bell.wait(Math.min(REST_SLICE_MS, endMs - nowMs), isUsed)
      control.beat()
    }
    return !isUsed()
  }

  #add({ id, info, traffic }: KnownInterface): void {
    this.#assembler.addInterface(id, info, traffic?.[this.#task.slot])
  }

  #apply(message: ToAssembler): void {
    switch (message.t) {
      case 'interface':
        this.#add(message)
        break
      case 'addresses':
        this.#assembler.setAddresses(message.entries)
        break
      case 'filter':
        this.#assembler.setFilter(message.filter)
        break
      case 'policy':
        this.#assembler.setPolicy(message.policy)
        break
    }
  }

  /** @returns the block's length in bytes */
  #processBlock(ring: RingConsumer, marks: OpaqueMarks | null): number {
    const assembler = this.#assembler
    let length = assembler.wholeRecords(ring.peek(assembler.input, INPUT_BLOCK_BYTES))
    if (length === 0) length = assembler.wholeRecords(ring.peek(assembler.input, assembler.input.length))
    // Read messages after the ring was peeked at, so that those sent before a frame are applied before the frame.
    this.#mail.read(this.#handle)
    if (length === 0) return 0
    // Release first: the block is a private copy, and a frame that makes the assembler fail is not read again after a restart.
    ring.release(length)
    assembler.consume(length, marks)
    return length
  }
}

/** Loaded only for a selection: nothing else in an assembler decodes pairs. */
async function selectorOf(selection: PairSelection | undefined): Promise<PairSelector | null> {
  if (selection === undefined) return null
  const { PairSelector } = await import('../select/selector.ts')
  return PairSelector.create(selection)
}

/** The warm-up's pairs go to a ring of their own and are discarded. */
function warmUpLive(
  memory: ProgramMemory,
  { options }: AssembleTask,
  createSink: (ring: RingProducer) => PairSink,
  rest: (workedMs: number) => boolean,
): void {
  const shared = allocateRing(WARM_UP_RING_BYTES)
  const ring = new RingProducer(shared, new Doorbell(Doorbell.allocate()))
  const consumer = new RingConsumer(shared, null)
  let startMs = performance.now()
  warmUpAssembler(memory, options, createSink(ring), () => {
    ring.flush()
    consumer.release(consumer.used)
    const continues = rest(performance.now() - startMs)
    startMs = performance.now()
    return continues
  })
}
