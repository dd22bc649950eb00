/** Real threads, which run the program beside this file. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import fc from 'fast-check'
import { EXIT_PRIVILEGE, EXIT_RUNTIME, type Failure } from '../../../src/errors.ts'
import {
  failureOfWorker,
  Lifecycle,
  threadLimits,
  type WorkerEnd,
  WorkerThread,
} from '../../../src/supervisor/workers/worker-thread.ts'
import type { FromWorker } from '../../../src/thread/messages.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import type { Order } from './worker-thread-program.ts'

const ENTRY = new URL('./worker-thread-program.js', import.meta.url).href
const FAILED: Failure = { message: 'no interface', exitCode: EXIT_PRIVILEGE, hint: 'Run as root.' }
/** Longest wait for a message of a thread that starts. */
const PATIENCE_MS = 20_000

/** What the thread posts first. */
const GREETING = (text: string): FromWorker => ({ t: 'log', level: 'info', message: text })

/** Starts a thread and gives it orders. @returns how it ended, and what it posted */
async function run(...orders: Order[]): Promise<{ end: WorkerEnd; posted: FromWorker[] }> {
  const posted: FromWorker[] = []
  const onMessage = (message: FromWorker): void => void posted.push(message)
  const thread = new WorkerThread({ role: 'capture', entry: ENTRY, workerData: 'given', onMessage })
  for (const order of orders) thread.post(order)
  return { end: await thread.ended, posted }
}

test('WorkerThread: passes on all messages but those of the lifecycle, in order, and the data to the thread', async () => {
  const messages: FromWorker[] = [
    { t: 'closed', interfaceId: 1 },
    { t: 'outputEnded' },
    { t: 'ringShort', interfaceId: 2 },
  ]
  const orders = [
    ...messages.map((post) => ({ post })),
    { post: { t: 'ready' as const } },
    { post: { t: 'done' as const } },
  ]
  const { end, posted } = await run(...orders, { end: 'return' })
  assert.deepEqual(posted, [GREETING('given'), ...messages])
  assert.deepEqual(end, { how: 'done' })
})

test('WorkerThread: is ready once the thread says so, and ends a thread that lingers after its work', async () => {
  const thread = new WorkerThread({ role: 'ship', entry: ENTRY, workerData: '', onMessage: () => {} })
  let isReady = false
  void thread.ready.then(() => {
    isReady = true
  })
  thread.post({ post: { t: 'done' } } satisfies Order)
  // The thread goes on listening to messages.
  assert.deepEqual(await thread.ended, { how: 'done' })
  assert.equal(isReady, false)
  const second = new WorkerThread({ role: 'ship', entry: ENTRY, workerData: '', onMessage: () => {} })
  second.post({ post: { t: 'ready' } } satisfies Order)
  await second.ready
  second.terminate()
  await second.ended
})

test('WorkerThread: reports a failure that the thread has posted, however the thread ends then', async () => {
  for (const last of [{ end: 'return' }, { end: 'throw' }, { end: 'exit', code: 7 }] as const) {
    const { end } = await run({ post: { t: 'failed', ...FAILED } }, last)
    assert.deepEqual(end, { how: 'failed', failure: FAILED }, last.end)
    assert.deepEqual(failureOfWorker(end), FAILED)
  }
})

test('WorkerThread: a thread that ends without a report has crashed, with what is known of the cause', async () => {
  for (const [last, message, hint] of [
    [{ end: 'return' }, 'the thread ended with code 0', null],
    [{ end: 'exit', code: 7 }, 'the thread ended with code 7', null],
    [{ end: 'throw' }, 'thrown by the test', null],
  ] as const) {
    const { end } = await run({ post: { t: 'ready' } }, last)
    assert.equal(end.how, 'crashed', last.end)
    assert.deepEqual(failureOfWorker(end), { message, exitCode: EXIT_RUNTIME, hint }, last.end)
  }
})

test('WorkerThread: a thread whose heap is full ends, and the process goes on', async () => {
  const { end } = await run({ end: 'use up the heap' })
  assert.equal(end.how, 'crashed')
  assert.match(failureOfWorker(end)?.message ?? '', /memory/)
})

test('WorkerThread: ends a thread that never returns, and ignores what is posted after the end', async () => {
  let onStart = (): void => {}
  const started = new Promise<boolean>((resolve) => {
    onStart = () => resolve(true)
  })
  const thread = new WorkerThread({ role: 'capture', entry: ENTRY, workerData: '', onMessage: () => onStart() })
  thread.post({ end: 'spin' } satisfies Order)
  // Without its first message, the thread must be ended all the same: nothing else would end it.
  const hasStarted = await Promise.race([started, setTimeout(PATIENCE_MS, false, { ref: false })])
  thread.terminate()
  assert.ok(hasStarted, 'its first message was not passed on')
  assert.equal((await thread.ended).how, 'crashed')
  thread.post({ post: { t: 'ready' } } satisfies Order)
  thread.terminate()
})

test('threadLimits: each thread has a limit', () => {
  for (const role of ['capture', 'assemble', 'ship'] as const) {
    const { maxYoungGenerationSizeMb = 0, maxOldGenerationSizeMb = 0 } = threadLimits(role)
    assert.ok(maxYoungGenerationSizeMb > 0 && maxOldGenerationSizeMb > maxYoungGenerationSizeMb, role)
    assert.ok(maxOldGenerationSizeMb <= 256, role)
  }
})

test('Lifecycle: model: the last report is the end, and only other messages are passed on', async () => {
  const message = fc.constantFrom<FromWorker>(
    { t: 'ready' },
    { t: 'done' },
    { t: 'failed', ...FAILED },
    { t: 'failed', ...FAILED, message: 'another' },
    { t: 'outputEnded' },
    { t: 'closed', interfaceId: 3 },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(message), async (messages) => {
      const passed: FromWorker[] = []
      const lifecycle = new Lifecycle((one) => void passed.push(one))
      let isReady = false
      void lifecycle.ready.then(() => {
        isReady = true
      })
      let reported: WorkerEnd | null = null
      for (const one of messages) {
        lifecycle.receive(one)
        if (one.t === 'done') reported = { how: 'done' }
        if (one.t === 'failed') reported = { how: 'failed', failure: { ...FAILED, message: one.message } }
        assert.deepEqual(lifecycle.reported, reported)
      }
      await Promise.resolve()
      assert.equal(
        isReady,
        messages.some(({ t }) => t === 'ready'),
      )
      assert.deepEqual(
        passed,
        messages.filter(({ t }) => t === 'outputEnded' || t === 'closed'),
      )
    }),
    { numRuns: propertyRuns(400) },
  )
})
