/** Thread entry of an assembler slot: one long Piscina task that ends when its frame rings are closed and empty. */
import { parentPort } from 'node:worker_threads'
import { Doorbell } from '../ring/doorbell.ts'
import { Control } from '../thread/control.ts'
import { processCpuMs } from '../thread/cpu-time.ts'
import { AssembleLoop } from './assemble-loop.ts'
import { QuotaPace } from './quota-pace.ts'
import type { AssembleTask, FromAssembler } from './worker-data.ts'

/** Longest sleep of an idle assembler, between two heartbeats. */
const IDLE_MS = 750
/** How long frames may gather after a block before a wake-up is requested. A ring holds 20 times as many. */
const NAP_MS = 1

const post = (message: FromAssembler): void => parentPort?.postMessage(message)

/** Runs until the rings are closed and empty, or until COMMAND_STOP. A failure makes the supervisor restart the slot. */
export async function assemble(task: AssembleTask): Promise<void> {
  const bell = new Doorbell(task.ownBell)
  const control = new Control(task.control)
  const pace = new QuotaPace()
  const loop = await AssembleLoop.open(task, post, bell)
  let busy = false
  for (let pass = loop.pass(); pass !== 'ended'; pass = loop.pass()) {
    if (pass === 'worked') {
      busy = true
      const quota = control.cpuQuota
      const pauseMs = quota === 0 ? 0 : pace.next(performance.now(), processCpuMs(), quota)
      if (pauseMs > 0) bell.nap(pauseMs)
    } else {
      if (busy) bell.nap(NAP_MS)
      else bell.wait(IDLE_MS, loop.ready)
      busy = false
    }
  }
  loop.end()
}
