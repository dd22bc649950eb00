/**
 * The work of an assembler slot: reads the frame rings, or frames in place, block by block until all are closed and empty. It
 * never waits for frames, so that the same loop works in a thread, which sleeps between two passes, and on an event loop.
 */

import { ASSEMBLE_COUNTERS } from '../ledger/counters.ts'
import { RESTING_RING_BYTES, RingConsumer, RingProducer } from '../ring/byte-ring.ts'
import { Doorbell } from '../ring/doorbell.ts'
import type { FramePlace } from '../ring/frame-place.ts'
import { OpaqueMarks } from '../ring/opaque-marks.ts'
import type { PairSelection, PairSelector } from '../select/selector.ts'
import type { InterfaceInfo } from '../target/interface-info.ts'
import { COMMAND_STOP, Control } from '../thread/control.ts'
import { CpuTimeRecorder } from '../thread/cpu-time.ts'
import { Mailbox } from '../thread/mailbox.ts'
import { Assembler, assemblerMemory } from './assembler.ts'
import type { ProgramMemory } from './host/memory.ts'
import { useProgram } from './host/program.ts'
import { PairCountSink } from './pair-count-sink.ts'
import { PairRingRoom } from './pair-ring-room.ts'
import { PairRingSink } from './pair-ring-sink.ts'
import { PlaceSource, type RecordSource, RingSource } from './record-source.ts'
import type { AssembleTask, FromAssembler, KnownInterface, ToAssembler } from './worker-data.ts'

const { index: C } = ASSEMBLE_COUNTERS

/** What an assembler gets that shares the thread of the capture stage. */
export interface SharedThread {
  /** Memory of `assemblerMemory`, which has the place. */
  memory: ProgramMemory
  /** Where the capture stage puts frames. */
  place: FramePlace
  /** `restingBytes` of the pair ring's producer (RingProducer). */
  restingBytes?: number | undefined
}

/** The result of a pass over the sources: frames; no frames; no frames, and all sources have ended. */
export type Pass = 'worked' | 'idle' | 'ended'

export class AssembleLoop {
  readonly #task: AssembleTask
  readonly #control: Control
  readonly #cpuTime: CpuTimeRecorder
  readonly #sources: readonly RecordSource[]
  readonly #pairs: RingProducer
  readonly #assembler: Assembler
  readonly #mail: Mailbox<ToAssembler>
  readonly #handle = (message: ToAssembler): void => this.#apply(message)

  private constructor(
    task: AssembleTask,
    selector: PairSelector | null,
    post: (message: FromAssembler) => void,
    bell: Doorbell,
    shared: SharedThread | null,
  ) {
    this.#task = task
    this.#control = new Control(task.control)
    this.#cpuTime = new CpuTimeRecorder(this.#control)
    const memory = shared?.memory ?? assemblerMemory(task.options)
    this.#sources = shared === null ? ringSources(task, memory) : [new PlaceSource(shared.place)]
    const resting = task.whenFull === 'drop' ? RESTING_RING_BYTES : shared?.restingBytes
    this.#pairs = new RingProducer(task.pairRing, new Doorbell(task.shipperBell), resting)
    this.#mail = new Mailbox<ToAssembler>(task.port, this.#control)
    useProgram(task.program)
    const room = new PairRingRoom(this.#pairs, task.whenFull, bell, this.#control)
    const sink = task.onlyCounts ? new PairCountSink(memory, room) : new PairRingSink(memory, room)
    post({ t: 'ready' })
    const announced = (id: number, info: InterfaceInfo): void => post({ t: 'interface', id, info })
    this.#assembler = new Assembler(memory, task.options, task.counters, sink, announced, selector)
    for (const known of task.interfaces) this.#add(known)
    this.#assembler.setAddresses(task.addresses)
  }

  /**
   * Opens the sources and posts that it is ready.
   *
   * @param bell the slot's own, on which the loop waits for room in the pair ring
   * @param shared what a thread that the capture stage shares adds; null: frames come through rings
   * @throws InterceptorError for a selection that cannot be parsed
   */
  static async open(
    task: AssembleTask,
    post: (message: FromAssembler) => void,
    bell: Doorbell,
    shared: SharedThread | null = null,
  ): Promise<AssembleLoop> {
    return new AssembleLoop(task, await selectorOf(task.options.selection), post, bell, shared)
  }

  /** Whether `pass` has something to do. */
  readonly ready = (): boolean =>
    this.#sources.some((source) => !source.empty || source.finished) ||
    this.#control.hasMail ||
    this.#control.command === COMMAND_STOP

  /**
   * Processes one block of each source. A failure of the assembler is thrown; pairs that were complete are in the ring then.
   *
   * @returns `ended` also after COMMAND_STOP; call `end` then
   */
  pass(): Pass {
    if (this.#control.command === COMMAND_STOP) return 'ended'
    this.#control.beat()
    this.#cpuTime.update(performance.now())
    let worked = 0
    try {
      for (const source of this.#sources) worked += this.#processBlock(source)
    } finally {
      // Also after a failure: complete pairs have been counted as kept.
      this.#pairs.flush()
    }
    if (worked > 0) return 'worked'
    return this.#sources.every((source) => source.finished) ? 'ended' : 'idle'
  }

  /** Ends the connections and closes the pair ring. */
  end(): void {
    this.#assembler.finish()
    this.#pairs.close()
    this.#task.port.close()
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
  #processBlock(source: RecordSource): number {
    const assembler = this.#assembler
    const length = source.next(assembler)
    // Read messages after the source was looked at, so that those sent before a frame are applied before the frame.
    this.#mail.read(this.#handle)
    if (length === 0) return 0
    const { at } = source
    // Release first: no other thread writes to the block, and a frame that makes the assembler fail is not read again
    // after a restart.
    const { framesRead } = assembler
    source.release(length)
    // No call between the two: a thread cannot end there, so no frame counts as read that the next thread reads, too.
    this.#task.counters[C.framesRead] = framesRead
    assembler.consume(at, length, source.marks)
    return length
  }
}

function ringSources({ rings, captureBells, marks }: AssembleTask, memory: ProgramMemory): RecordSource[] {
  const tables = marks.map((shared) => new OpaqueMarks(shared))
  // Those of an assembler that has failed: this one knows none of its flows.
  for (const table of tables) table.clear()
  return rings.map((ring, i) => {
    const capture = captureBells[i]
    const consumer = new RingConsumer(ring, capture === null ? null : new Doorbell(capture))
    return new RingSource(consumer, memory, tables[i] ?? null)
  })
}

/** Loaded only for a selection: nothing else in an assembler decodes pairs. */
async function selectorOf(selection: PairSelection | undefined): Promise<PairSelector | null> {
  if (selection === undefined) return null
  const { PairSelector } = await import('../select/selector.ts')
  return PairSelector.create(selection)
}
