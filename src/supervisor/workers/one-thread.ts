/**
 * Every stage in the main thread, for small files: starting threads would cost more than the work (bench/README.md).
 *
 * The stages are those that run in threads, with the same rings. The capture stage reads its files without a pause; the others
 * alternate on the event loop. A stage that waits for room in a ring makes the next one read it.
 */
import { MessageChannel } from 'node:worker_threads'
import { AssembleLoop } from '../../assemble/assemble-loop.ts'
import type { AssembleTask, FromAssembler, KnownInterface } from '../../assemble/worker-data.ts'
import { runCapture } from '../../capture/run.ts'
import type { CaptureWorkerData } from '../../capture/worker-data.ts'
import { failureOf } from '../../errors.ts'
import { Doorbell } from '../../ring/doorbell.ts'
import { runShipper } from '../../ship/run.ts'
import type { ShipWorkerData } from '../../ship/worker-data.ts'
import type { FromWorker } from '../../thread/messages.ts'
import type { OnMessage, Stages } from './stages.ts'
import { Lifecycle, type WorkerEnd, type WorkerRun } from './worker-thread.ts'

/** The longest time that an idle assembler waits for its doorbell. */
const IDLE_MS = 500
/** Pause of a stage that waits for room, while the next one cannot make any. */
const SLOW_MS = 1

/** One run's stages. It starts one worker of each kind at a time. */
export class OneThread implements Stages {
  #runAssembler: () => void = notStarted
  #runShipper: () => void = notStarted

  capture(data: CaptureWorkerData, onMessage: OnMessage): WorkerRun {
    const { port1, port2 } = new MessageChannel()
    const bell = new DemandBell(data.ownBell, () => this.#runAssembler())
    return workerRun(onMessage, (post) => runCapture(data, port2, post, bell), {
      post: (message) => port1.postMessage(message),
      end: () => port1.close(),
    })
  }

  assemble(task: Omit<AssembleTask, 'port'>, onInterface: (known: KnownInterface) => void): WorkerRun {
    const { port1, port2 } = new MessageChannel()
    const announce = (message: FromAssembler): void => {
      if (message.t === 'interface') onInterface({ id: message.id, info: message.info })
    }
    const work = async (post: (message: FromWorker) => void): Promise<void> => {
      const bell = new DemandBell(task.ownBell, () => this.#runShipper())
      const loop = await AssembleLoop.open({ ...task, port: port2 }, announce, bell)
      this.#runAssembler = () => loop.pass()
      // After the function above is set: a capture stage that waits calls it.
      post({ t: 'ready' })
      for (let pass = loop.pass(); pass !== 'ended'; pass = loop.pass()) {
        if (pass === 'idle') await bell.waitAsync(IDLE_MS, loop.ready)
      }
      loop.end()
      post({ t: 'done' })
    }
    return workerRun(() => {}, work, {
      post: (message) => port1.postMessage(message),
      end: () => {
        this.#runAssembler = notStarted
        port1.close()
      },
    })
  }

  ship(data: ShipWorkerData, onMessage: OnMessage): WorkerRun {
    const work = (post: (message: FromWorker) => void): Promise<void> =>
      runShipper(data, post, (shipper) => {
        this.#runShipper = () => shipper.step()
      })
    return workerRun(onMessage, work, {
      post: () => {},
      end: () => {
        this.#runShipper = notStarted
      },
    })
  }
}

/** The doorbell of a stage that waits for room. Nothing else runs while it waits, so waiting runs the next stage. */
class DemandBell extends Doorbell {
  readonly #runNext: () => void

  constructor(shared: SharedArrayBuffer, runNext: () => void) {
    super(shared)
    this.#runNext = runNext
  }

  override wait(_timeoutMs: number, ready: () => boolean): void {
    if (ready()) return
    this.#runNext()
    // A slow output accepts nothing for a while.
    super.wait(SLOW_MS, ready)
  }
}

function notStarted(): never {
  throw new Error('the next stage does not run')
}

/** Starts `work`, and follows it to its end. */
function workerRun(
  onMessage: OnMessage,
  work: (post: (message: FromWorker) => void) => Promise<void>,
  { post, end }: { post: (message: unknown) => void; end: () => void },
): WorkerRun {
  const lifecycle = new Lifecycle(onMessage)
  const run = async (): Promise<WorkerEnd> => {
    try {
      await work((message) => lifecycle.receive(message))
      return lifecycle.reported ?? { how: 'done' }
    } catch (error) {
      const { message, hint } = failureOf(error)
      return { how: 'crashed', message, hint }
    } finally {
      end()
    }
  }
  return { ready: lifecycle.ready, ended: run(), post, terminate: () => {} }
}
