/** A worker that does what the test of WorkerThread tells it to, one message after the other. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { privilegeError } from '../../../src/errors.ts'
import type { FromWorker } from '../../../src/thread/messages.ts'

/** What the thread is told: to post a message, or how to end. */
export type Order =
  | { post: FromWorker }
  | { end: 'return' }
  | { end: 'throw' }
  | { end: 'throw for the user' }
  | { end: 'exit'; code: number }
  | { end: 'use up the heap' }
  | { end: 'spin' }

const port = parentPort as MessagePort

port.on('message', (order: Order) => {
  if ('post' in order) port.postMessage(order.post)
  else if (order.end === 'return') port.close()
  else if (order.end === 'throw') throw new Error('thrown by the test')
  else if (order.end === 'throw for the user') throw privilegeError('not allowed', { hint: 'Run as root.' })
  else if (order.end === 'exit') process.exit(order.code)
  else if (order.end === 'spin') for (;;);
  else {
    const kept: unknown[] = []
    for (;;) kept.push(Array.from({ length: 1000 }, (_, i) => ({ i })))
  }
})
port.postMessage({ t: 'log', level: 'info', message: String(workerData) })
