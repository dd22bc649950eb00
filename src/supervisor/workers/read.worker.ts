/**
 * Thread entry of the capture stage and the assembler that share a thread. It receives `StartStage` messages and posts
 * `FromStage`.
 */
import { parentPort } from 'node:worker_threads'
import { OneThread } from './one-thread.ts'
import type { FromStage, StartStage } from './read-messages.ts'
import type { WorkerRun } from './worker-thread.ts'

const port = parentPort!
const stages = new OneThread()
const report = (message: FromStage): void => port.postMessage(message)

function start(message: StartStage): WorkerRun {
  if (message.stage === 'capture') {
    return stages.capture(message.data, (posted) => report({ stage: 'capture', t: 'posted', message: posted }))
  }
  return stages.assembleFrom(message.task, (known) => report({ stage: 'assemble', t: 'interface', known }))
}

port.on('message', (message: StartStage) => {
  const { stage } = message
  const { ready, ended } = start(message)
  void ready.then(() => report({ stage, t: 'posted', message: { t: 'ready' } }))
  void ended.then((end) => report({ stage, t: 'ended', end }))
})
