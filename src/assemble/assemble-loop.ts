/**
 * The work of an assembler slot: reads the frame rings block by block until all are closed and empty. It never waits by
 * itself, so that the same loop works in a thread, which sleeps between two passes, and on an event loop.
 */

import { ASSEMBLE_COUNTERS } from '../ledger/counters.ts'
import { RESTING_RING_BYTES, RingConsumer, RingProducer } from '../ring/byte-ring.ts'
import { Doorbell } from '../ring/doorbell.ts'
import { OpaqueMarks } from '../ring/opaque-marks.ts'
import type { PairSelection, PairSelector } from '../select/selector.ts'
import type { InterfaceInfo } from '../target/interface-info.ts'
import { COMMAND_STOP, Control } from '../thread/control.ts'
import { CpuTimeRecorder } from '../thread/cpu-time.ts'
import { Mailbox } from '../thread/mailbox.ts'
import { Assembler, assemblerMemory } from './assembler.ts'
import { INPUT_BLOCK_BYTES } from './host/memory.ts'
import { useProgram } from './host/program.ts'
import { PairRingSink } from './pair-ring-sink.ts'
import type { AssembleTask, FromAssembler, KnownInterface, ToAssembler } from './worker-data.ts'

const { index: C } = ASSEMBLE_COUNTERS

/** The result of a pass over the rings: frames; no frames; no frames, and all rings have ended. */
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

  private constructor(
    task: AssembleTask,
    selector: PairSelector | null,
    post: (message: FromAssembler) => void,
    bell: Doorbell,
    restingBytes: number | undefined,
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
    const resting = task.whenFull === 'drop' ? RESTING_RING_BYTES : restingBytes
    this.#pairs = new RingProducer(task.pairRing, new Doorbell(task.shipperBell), resting)
    this.#mail = new Mailbox<ToAssembler>(task.port, this.#control)
    useProgram(task.program)
    const memory = assemblerMemory(task.options)
    const sink = new PairRingSink(memory, this.#pairs, task.whenFull, bell, this.#control)
    post({ t: 'ready' })
    const announced = (id: number, info: InterfaceInfo): void => post({ t: 'interface', id, info })
    this.#assembler = new Assembler(memory, task.options, task.counters, sink, announced, selector)
    for (const known of task.interfaces) this.#add(known)
    this.#assembler.setAddresses(task.addresses)
  }

  /**
   * Opens the rings and posts that it is ready.
   *
   * @param bell the slot's own, on which the loop waits for room in the pair ring
   * @param restingBytes of the pair ring of a file, as in RingProducer
   * @throws InterceptorError for a selection that cannot be parsed
   */
  static async open(
    task: AssembleTask,
    post: (message: FromAssembler) => void,
    bell: Doorbell,
    restingBytes?: number,
  ): Promise<AssembleLoop> {
    return new AssembleLoop(task, await selectorOf(task.options.selection), post, bell, restingBytes)
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
    const { framesRead } = assembler
    ring.release(length)
    // No call between the two: a thread cannot end there, so no frame counts as read that the next thread reads, too.
    this.#task.counters[C.framesRead] = framesRead
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
