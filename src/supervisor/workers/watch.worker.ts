/**
 * Thread entry: watches the heartbeats of the workers in the main thread (watched-thread.ts). Where they hang it
 * interrupts the main thread, and posts the reason.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { Control } from '../../thread/control.ts'
import { processCpuMs } from '../../thread/cpu-time.ts'
import type { WatchData } from './watched-thread.ts'

const CHECK_MS = 500
/**
 * CPU time of the process without a heartbeat. Not time: a stopped process, a slow disk and a terminal whose output is
 * paused may last for ever, and use none.
 */
const HANG_CPU_MS = 2_500

const { controls, end } = workerData as WatchData
const workers = controls.map((shared) => new Control(shared))
const heartbeats = (): number => workers.reduce((sum, { heartbeat }) => sum + heartbeat, 0)

let seen = heartbeats()
let since = processCpuMs()
while (Atomics.wait(new Int32Array(end), 0, 0, CHECK_MS) === 'timed-out') {
  const used = processCpuMs() - since
  const isHung = heartbeats() === seen && used >= HANG_CPU_MS
  if (isHung) await interrupt(`no heartbeat for ${(used / 1000).toFixed(1)} s of CPU time`)
  if (!isHung && heartbeats() === seen) continue
  seen = heartbeats()
  since = processCpuMs()
}

/** V8 unwinds what the main thread executes, without its `catch` and `finally` blocks, and the event loop goes on. */
async function interrupt(why: string): Promise<void> {
  const { Session } = await import('node:inspector/promises')
  const session = new Session()
  session.connectToMainThread()
  parentPort?.postMessage(why)
  await session.post('Runtime.terminateExecution')
  session.disconnect()
}
