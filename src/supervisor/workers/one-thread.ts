/**
 * Stages in the thread that creates this, because starting threads and waking them costs as much as the work
 * (bench/findings.md): all of them in the main thread, or the first two in a thread of their own (read-thread.ts). See
 * arrangement.ts.
 *
 * The stages are those that have a thread each, but the capture stage reads the file into the assembler's memory, where
 * the frames stay (ring/frame-place.ts). After each read of a file it lets the others process what it has read. An
 * assembler that waits for room in the pair ring makes the shipper read it.
 */
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import { AssembleLoop } from '../../assemble/assemble-loop.ts'
import { assemblerMemory } from '../../assemble/assembler.ts'
import type { ProgramMemory } from '../../assemble/host/memory.ts'
import type { AssembleTask, FromAssembler, KnownInterface } from '../../assemble/worker-data.ts'
import { withResolvers } from '../../async/with-resolvers.ts'
import { loadPlainFrames, PlainFrames } from '../../capture/intake/plain-frames.ts'
import { runCapture } from '../../capture/run.ts'
import type { CaptureWorkerData } from '../../capture/worker-data.ts'
import { failureOf } from '../../errors.ts'
import { Doorbell } from '../../ring/doorbell.ts'
import { FramePlace, PlaceEnd } from '../../ring/frame-place.ts'
import { runShipper } from '../../ship/run.ts'
import type { ShipWorkerData } from '../../ship/worker-data.ts'
import { Control } from '../../thread/control.ts'
import type { FromWorker } from '../../thread/messages.ts'
import { callWithin } from '../../thread/time-limit.ts'
import type { OnMessage, Stages } from './stages.ts'
import { Lifecycle, type WorkerEnd, type WorkerRun } from './worker-thread.ts'

/** The longest time that an idle assembler waits for its doorbell. */
const IDLE_MS = 500
/** Pause of a stage that waits for room, while the next one in its thread cannot make any. */
const SLOW_MS = 1
/** How long files are read before the thread obeys signals and timers. */
const TURN_MS = 20
/** Pause of the capture stage while the assembler is being replaced. */
const REPLACING_MS = 20
/**
 * Of the pair ring if both of its ends are in this thread: it is emptied all the time, and this much of it stays in the
 * core's cache.
 */
const RESTING_BYTES = 256 * 1024

/**
 * The assembler needs a hundredth of a second for what one read of a file has put in place. But this is time, in which
 * the process may be stopped, or a hundred others run, and then what a sound assembler was changing would be lost.
 */
const ASSEMBLE_MS = 60_000

/** One run's stages. It starts one worker of each kind at a time. */
export class OneThread implements Stages {
  readonly sharesThreads = true
  /** The memory of one assembler after the other, and where frames are put in it; null: none was started. */
  #memory: ProgramMemory | null = null
  #place: FramePlace | null = null
  #plain: PlainFrames | null = null
  /** Processes all frames in place; null: no assembler runs. */
  #assembler: (() => void) | null = null
  /** Processes the pairs in the rings; null: another thread does. */
  #shipper: (() => void) | null = null
  #turnEndMs = 0
  readonly #isLimited: boolean
  #abandoned = withResolvers<string>()

  /** @param isLimited whether an assembler that loops without end fails, which is too slow for large files (thread/time-limit.ts) */
  constructor(isLimited = false) {
    this.#isLimited = isLimited
  }

  /** The capture stage and the assembler have crashed: V8 has terminated what the thread executed, which never continues. */
  abandon(why: string): void {
    const { resolve } = this.#abandoned
    this.#abandoned = withResolvers()
    resolve(why)
  }

  capture(data: CaptureWorkerData, onMessage: OnMessage): WorkerRun {
    const { port1, port2 } = new MessageChannel()
    const control = new Control(data.control)
    const work = async (post: (message: FromWorker) => void): Promise<void> => {
      const thread = {
        place: this.#place ?? notRunning(),
        plain: this.#plain ?? notRunning(),
        afterRead: () => this.#afterRead(control),
      }
      await runCapture(data, port2, post, thread)
    }
    return workerRun(onMessage, work, {
      post: (message) => port1.postMessage(message),
      end: () => port1.close(),
      abandoned: this.#abandoned.promise,
    })
  }

  assemble(task: Omit<AssembleTask, 'port'>, onInterface: (known: KnownInterface) => void): WorkerRun {
    const { port1, port2 } = new MessageChannel()
    return {
      ...this.assembleFrom({ ...task, port: port2 }, onInterface),
      post: (message) => port1.postMessage(message),
    }
  }

  /** Like `assemble`, but messages arrive at the task's own port. */
  assembleFrom(task: AssembleTask, onInterface: (known: KnownInterface) => void): WorkerRun {
    const announce = (message: FromAssembler): void => {
      if (message.t === 'interface') onInterface({ id: message.id, info: message.info })
    }
    const failures: unknown[] = []
    const abandoned = this.#abandoned.promise
    // Where another stage looped, this one would continue.
    void abandoned.then((why) => failures.push(new Error(why)))
    const memory = this.#memory ?? assemblerMemory(task.options, true)
    const place = this.#place ?? this.#placeIn(memory, task)
    this.#memory = memory
    this.#place = place
    this.#plain ??= new PlainFrames(loadPlainFrames(), memory.memory, place)
    const work = async (post: (message: FromWorker) => void): Promise<void> => {
      const bell = new DemandBell(task.ownBell, () => this.#runShipper())
      const restingBytes = this.#shipper === null ? undefined : RESTING_BYTES
      const loop = await AssembleLoop.open(task, announce, bell, { memory, place, restingBytes })
      const passes = (): void => {
        for (let worked = true; worked; ) worked = loop.pass() === 'worked'
      }
      this.#assembler = () => {
        try {
          if (this.#isLimited) callWithin(ASSEMBLE_MS, passes)
          else passes()
        } catch (error) {
          // Not the caller's failure: the capture stage waits until this one is replaced.
          this.#assembler = null
          failures.push(error)
          bell.ring()
        }
      }
      // After the function above is set: the capture stage calls it.
      post({ t: 'ready' })
      for (let pass = loop.pass(); pass !== 'ended'; pass = loop.pass()) {
        if (pass === 'idle') await bell.waitAsync(IDLE_MS, loop.ready)
        if (failures.length > 0) throw failures[0]
      }
      loop.end()
      post({ t: 'done' })
    }
    return workerRun(() => {}, work, {
      post: () => {},
      end: () => {
        this.#assembler = null
        task.port.close()
      },
      abandoned,
    })
  }

  ship(data: ShipWorkerData, onMessage: OnMessage): WorkerRun {
    this.#shipper = notRunning
    const work = (post: (message: FromWorker) => void): Promise<void> =>
      runShipper(data, post, (shipper) => {
        this.#shipper = () => shipper.step()
      })
    return workerRun(onMessage, work, {
      post: () => {},
      end: () => {
        this.#shipper = notRunning
      },
    })
  }

  /** @returns as CaptureThread.afterRead */
  #afterRead(control: Control): Promise<void> | null {
    this.#assembler?.()
    this.#shipper?.()
    return this.#assembler !== null && performance.now() < this.#turnEndMs ? null : this.#turn(control)
  }

  async #turn(control: Control): Promise<void> {
    await setImmediate()
    while (this.#assembler === null && control.running) {
      control.beat()
      await sleep(REPLACING_MS)
    }
    this.#turnEndMs = performance.now() + TURN_MS
  }

  #placeIn({ memory, place }: ProgramMemory, { placeEnd, ownBell }: AssembleTask): FramePlace {
    if (place === null || placeEnd === null) throw new Error('the assembler has no place for frames')
    const end = new PlaceEnd(placeEnd, new Doorbell(ownBell))
    return new FramePlace(memory.buffer, place, end, () => this.#assembler?.())
  }

  #runShipper(): boolean {
    this.#shipper?.()
    return this.#shipper !== null
  }
}

/** The doorbell of a stage that waits for room. Nothing else runs while it waits, so waiting runs the next stage. */
class DemandBell extends Doorbell {
  readonly #runNext: () => boolean

  /** @param runNext returns false where another thread runs the next stage, and rings */
  constructor(shared: SharedArrayBuffer, runNext: () => boolean) {
    super(shared)
    this.#runNext = runNext
  }

  override wait(timeoutMs: number, ready: () => boolean): void {
    if (ready()) return
    // A slow output accepts nothing for a while.
    super.wait(this.#runNext() ? SLOW_MS : timeoutMs, ready)
  }
}

function notRunning(): never {
  throw new Error('the next stage does not run')
}

interface RunParts {
  post: (message: unknown) => void
  end: () => void
  /** Resolves with the reason once the code of `work` never continues. Absent: it always does. */
  abandoned?: Promise<string>
}

/** Starts `work`, and follows it to its end. */
function workerRun(
  onMessage: OnMessage,
  work: (post: (message: FromWorker) => void) => Promise<void>,
  { post, end, abandoned = new Promise(() => {}) }: RunParts,
): WorkerRun {
  const lifecycle = new Lifecycle(onMessage)
  const run = async (): Promise<WorkerEnd> => {
    try {
      await work((message) => lifecycle.receive(message))
      return lifecycle.reported ?? { how: 'done' }
    } catch (error) {
      const { message, hint } = failureOf(error)
      return { how: 'crashed', message, hint }
    }
  }
  const crashed = abandoned.then((message): WorkerEnd => ({ how: 'crashed', message, hint: null }))
  return { ready: lifecycle.ready, ended: Promise.race([run(), crashed]).finally(end), post, terminate: () => {} }
}
