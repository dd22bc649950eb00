/** Real threads of an assembler, each with a slot of its own. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import type { KnownInterface, ToAssembler } from '../../../src/assemble/worker-data.ts'
import { EXIT_RUNTIME } from '../../../src/errors.ts'
import { Doorbell } from '../../../src/ring/doorbell.ts'
import { AssemblerThread } from '../../../src/supervisor/workers/assembler-thread.ts'
import { failureOfWorker, threadLimits } from '../../../src/supervisor/workers/worker-thread.ts'
import { Control } from '../../../src/thread/control.ts'
import { summary } from '../../support/assemble-harness.ts'
import { exchange, SlotRig } from './slot-rig.ts'

/** A thread that does not do what it should must fail its test, not hang it. */
const TIMEOUT_MS = 20_000

const known = (id: number, name: string): KnownInterface => ({
  id,
  info: { name, vantage: 'server', mesh: null, domain: 1, vantagePoint: null },
})

/** One thread, and every thread that this process has started for it. */
class Rig extends SlotRig {
  readonly announced: KnownInterface[] = []
  readonly thread: AssemblerThread
  readonly #started: Worker[] = []
  #exited = 0

  constructor(t: TestContext, interfaces: readonly KnownInterface[] = []) {
    super()
    const onWorker = (worker: Worker): void => {
      this.#started.push(worker)
      worker.once('exit', () => {
        this.#exited += 1
      })
    }
    process.on('worker', onWorker)
    const task = { ...this.slot, interfaces, addresses: [] }
    this.thread = new AssemblerThread(task, (one) => void this.announced.push(one))
    t.after(async () => {
      this.thread.terminate()
      // Ends it too, if the call above does not.
      this.endInput()
      await this.thread.ended
      process.off('worker', onWorker)
    })
  }

  /** Announces the message as the slot's worker does. */
  post(message: ToAssembler): void {
    this.thread.post(message)
    new Control(this.slot.control).announceMail()
    new Doorbell(this.slot.ownBell).ring()
  }

  endInput(): void {
    this.intake.finish()
  }

  /** The only thread that was started. */
  get worker(): Worker {
    assert.equal(this.#started.length, 1)
    return this.#started[0]
  }

  /** Checks that its thread has ended and that none has replaced it. */
  async checkEnded(): Promise<void> {
    assert.equal(this.#exited, 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(this.worker.threadId, -1)
  }
}

test('AssemblerThread: reads its rings to their end, announces their interfaces, and ends', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const rig = new Rig(t)
  await rig.thread.ready
  rig.send(exchange(1), 1).send(exchange(2), 2).endInput()
  assert.deepEqual(await rig.thread.ended, { how: 'done' })
  await rig.checkEnded()
  assert.deepEqual(summary(rig.takePairs()), ['GET /1 200', 'GET /2 200'])
  const info = { name: 'eth7', vantage: 'server', mesh: null, domain: 0, vantagePoint: null }
  assert.deepEqual(rig.announced, [{ id: 0, info }])
  // No thread receives it.
  rig.thread.post({ t: 'addresses', entries: [] } satisfies ToAssembler)
  rig.thread.terminate()
})

test('AssemblerThread: knows what the task says, and then what is posted', { timeout: TIMEOUT_MS }, async (t) => {
  const rig = new Rig(t, [known(1, 'given'), known(2, 'replaced')])
  await rig.thread.ready
  rig.post({ t: 'interface', ...known(2, 'posted') })
  rig.send(exchange(1), 1, 1).send(exchange(2), 2, 2).endInput()
  assert.deepEqual(await rig.thread.ended, { how: 'done' })
  const names = rig.takePairs().map(({ request, capture }) => [request.target, capture.interface])
  assert.deepEqual(names, [
    ['/1', 'given'],
    ['/2', 'posted'],
  ])
})

test('AssemblerThread: has the limits of its role', { timeout: TIMEOUT_MS }, async (t) => {
  const rig = new Rig(t)
  await rig.thread.ready
  const { maxOldGenerationSizeMb, maxYoungGenerationSizeMb } = rig.worker.resourceLimits ?? {}
  assert.deepEqual({ maxOldGenerationSizeMb, maxYoungGenerationSizeMb }, threadLimits('assemble'))
})

test('AssemblerThread: one that fails has crashed, with the error, and is not replaced', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const rig = new Rig(t)
  rig.send(exchange(1), 1).corrupt().flush()
  const end = await rig.thread.ended
  assert.equal(end.how, 'crashed')
  const failure = failureOfWorker(end)
  assert.equal(failure?.exitCode, EXIT_RUNTIME)
  assert.match(failure.message, /JSON/)
  await rig.checkEnded()
})

test('AssemblerThread: ends where it sleeps when it is terminated, and is not replaced', {
  timeout: TIMEOUT_MS,
}, async (t) => {
  const rig = new Rig(t)
  await rig.thread.ready
  rig.thread.terminate()
  rig.thread.terminate()
  assert.equal((await rig.thread.ended).how, 'crashed')
  await rig.checkEnded()
})
