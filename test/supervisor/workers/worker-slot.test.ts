/** The lifecycle of a worker slot, with simulated threads. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { EXIT_RUNTIME } from '../../../src/errors.ts'
import { WorkerSlot } from '../../../src/supervisor/workers/worker-slot.ts'
import type { WorkerEnd } from '../../../src/supervisor/workers/worker-thread.ts'
import { COMMAND_DRAIN, COMMAND_RUN, COMMAND_STOP, Control } from '../../../src/thread/control.ts'
import { FakeRun } from './fake-run.ts'

async function until(what: () => boolean): Promise<void> {
  for (const end = performance.now() + 20_000; !what(); ) {
    assert.ok(performance.now() < end)
    await pause(5)
  }
}

class Rig {
  nowMs = 1000
  readonly runs: FakeRun[] = []
  readonly lines: string[] = []
  crashes = 0
  /** Threads that cannot be created. */
  refused = 0
  wakes = 0
  ended: WorkerEnd | null = null
  readonly slot: WorkerSlot
  /** Of a worker in the same thread. */
  readonly mate = new Control(Control.allocate())

  constructor(parts: { isRestartable?: boolean; mayHang?: boolean; peersWork?: () => boolean } = {}) {
    const push = (message: string): void => void this.lines.push(message)
    this.slot = new WorkerSlot({
      role: 'ship',
      slot: 0,
      control: Control.allocate(),
      threadMates: [this.mate],
      wake: () => {
        this.wakes += 1
      },
      launch: () => {
        if (this.refused > 0) {
          this.refused -= 1
          throw new Error('no thread')
        }
        this.runs.push(new FakeRun())
        return this.run
      },
      isRestartable: true,
      mayHang: true,
      onCrash: () => {
        this.crashes += 1
      },
      log: { debug: push, info: push, warn: push, error: push, log: push, flush: () => {} },
      now: () => this.nowMs,
      random: () => 1,
      ...parts,
    })
    void this.slot.ended.then((end) => {
      this.ended = end
    })
  }

  /** The newest thread. */
  get run(): FakeRun {
    return this.runs[this.runs.length - 1]
  }

  /** Advances the supervisor's clock. @param alive whether the worker's heartbeat advances */
  async pass(ms: number, alive: boolean): Promise<void> {
    for (const until = this.nowMs + ms; this.nowMs < until; ) {
      this.nowMs += 50
      if (alive) this.slot.control.beat()
      this.slot.check()
      await turn()
    }
  }

  async startReady(): Promise<void> {
    void this.slot.start()
    await this.run.becomeReady()
  }
}

test('worker slot: start resolves once the worker is ready', async () => {
  const { slot, runs } = new Rig()
  let isReady = false
  void slot.start().then(() => {
    isReady = true
  })
  await turn()
  assert.deepEqual([slot.state, isReady], ['starting', false])
  await runs[0].becomeReady()
  assert.deepEqual([slot.state, isReady], ['ready', true])
  await slot.start()
  assert.equal(runs.length, 1)
})

test('worker slot: a crashed worker is replaced after a delay, and its losses are counted first', async () => {
  const rig = new Rig()
  await rig.startReady()
  await rig.pass(2000, true)
  await rig.run.crash('out of memory')
  assert.deepEqual([rig.slot.state, rig.crashes, rig.runs.length], ['waiting', 1, 1])
  await rig.pass(100, true)
  await rig.run.becomeReady()
  assert.deepEqual([rig.slot.state, rig.slot.restarts, rig.runs.length], ['ready', 1, 2])
  assert.match(rig.lines[0], /shipper failed and is restarted/)
})

test('worker slot: a command or a message wakes the thread', async () => {
  const rig = new Rig()
  await rig.startReady()
  rig.slot.post('hello')
  assert.deepEqual([rig.run.posted, rig.wakes], [['hello'], 1])
  rig.slot.drain()
  assert.equal(rig.wakes, 2)
})

test('worker slot: a restart does not wait for the next check', async () => {
  const rig = new Rig()
  await rig.startReady()
  await rig.run.crash()
  rig.nowMs += 100
  await until(() => rig.runs.length === 2)
})

test('worker slot: delays grow while the worker crashes at once, and start over after a healthy run', async () => {
  const rig = new Rig()
  await rig.startReady()
  const delays: number[] = []
  for (let i = 0; i < 6; i++) {
    await rig.run.crash()
    const [crashedAt, before] = [rig.nowMs, rig.runs.length]
    while (rig.runs.length === before) await rig.pass(50, false)
    delays.push(rig.nowMs - crashedAt)
    await rig.run.becomeReady()
  }
  assert.deepEqual(delays, [100, 150, 250, 450, 850, 1650])
  await rig.pass(1000, true)
  await rig.run.crash()
  const before = rig.runs.length
  await rig.pass(100, false)
  assert.equal(rig.runs.length, before + 1)
})

test('worker slot: a thread that cannot be created has crashed, and is created later', async () => {
  const rig = new Rig()
  await rig.startReady()
  rig.refused = 2
  await rig.run.crash()
  await rig.pass(2000, false)
  assert.deepEqual([rig.refused, rig.runs.length, rig.ended], [0, 2, null])
  assert.match(rig.lines.join(), /failed and is restarted/)
})

test('worker slot: a worker that sends no heartbeat is replaced within 3 s', async () => {
  const rig = new Rig()
  await rig.startReady()
  await rig.pass(60_000, true)
  assert.equal(rig.runs.length, 1)
  const hungAt = rig.nowMs
  while (rig.runs.length === 1) await rig.pass(50, false)
  assert.ok(rig.nowMs - hungAt <= 3000, `${rig.nowMs - hungAt} ms`)
  assert.deepEqual([rig.runs[0].terminated, rig.crashes], [true, 1])
})

test('worker slot: a pause of the whole process is not a hang', async () => {
  const rig = new Rig()
  await rig.startReady()
  rig.nowMs += 30_000
  rig.slot.check()
  await rig.pass(1000, false)
  assert.equal(rig.run.terminated, false)
})

test('worker slot: a worker that is starting may be silent for long, but not for ever', async () => {
  const rig = new Rig()
  void rig.slot.start()
  await rig.pass(29_000, false)
  assert.equal(rig.run.terminated, false)
  await rig.pass(2000, false)
  assert.equal(rig.runs[0].terminated, true)
})

test('worker slot: a thread in a system call is reported, and not replaced while it may touch its rings', async () => {
  const rig = new Rig()
  await rig.startReady()
  rig.run.isInterruptible = false
  await rig.pass(60_000, false)
  assert.equal(rig.runs.length, 1)
  assert.equal(rig.lines.length, 1)
  assert.match(rig.lines[0], /cannot be terminated/)
  await rig.run.crash()
  await rig.pass(200, false)
  assert.equal(rig.runs.length, 2)
})

test('worker slot: a worker does not hang while another one in its thread works', async () => {
  const rig = new Rig()
  await rig.startReady()
  for (let i = 0; i < 100; i++) {
    rig.mate.beat()
    await rig.pass(50, false)
  }
  assert.equal(rig.run.terminated, false)
  await rig.pass(3000, false)
  assert.equal(rig.runs[0].terminated, true)
})

test('worker slot: workers that may wait for others in a system call never count as hung', async () => {
  const rig = new Rig({ mayHang: false })
  await rig.startReady()
  await rig.pass(60_000, false)
  assert.equal(rig.run.terminated, false)
})

test('worker slot: three crashes within a minute are a crash loop, until a minute has passed', async () => {
  const rig = new Rig()
  await rig.startReady()
  for (let i = 0; i < 3; i++) {
    assert.equal(rig.slot.observe()?.crashLooping, false)
    await rig.run.crash()
    await rig.pass(500, false)
    await rig.run.becomeReady()
  }
  assert.equal(rig.slot.observe()?.crashLooping, true)
  await rig.pass(60_000, true)
  assert.equal(rig.slot.observe()?.crashLooping, false)
})

test('worker slot: a worker that has never been ready is not restarted for ever', async () => {
  const rig = new Rig()
  let isSettled = false
  void rig.slot.start().then(() => {
    isSettled = true
  })
  while (rig.ended === null) {
    await rig.run.crash('no memory')
    await rig.pass(2000, false)
  }
  assert.equal(rig.runs.length, 5)
  assert.equal(isSettled, true)
  assert.deepEqual(rig.ended, { how: 'crashed', message: 'the shipper failed: no memory' })
})

test('worker slot: a worker that is added to others that work is started later, whatever it lacks', async () => {
  const rig = new Rig({ peersWork: () => true })
  void rig.slot.start()
  for (let i = 0; i < 8; i++) {
    await rig.run.end({ how: 'crashed', message: 'no further thread', hint: 'raise the limit' })
    assert.equal(rig.ended, null)
    await rig.pass(10_000, false)
  }
  await rig.run.becomeReady()
  assert.equal(rig.slot.state, 'ready')
})

test('worker slot: a drain during the delay of a crash loop starts the worker at once, which then drains', async () => {
  const rig = new Rig()
  await rig.startReady()
  for (let i = 0; i < 8; i++) {
    await rig.run.crash()
    if (i < 7) await rig.pass(10_000, false)
    if (i < 7) await rig.run.becomeReady()
  }
  const before = rig.runs.length
  rig.slot.drain()
  await rig.pass(50, false)
  assert.deepEqual([rig.runs.length, rig.slot.control.command], [before + 1, COMMAND_DRAIN])
  await rig.run.becomeReady()
  assert.equal(rig.slot.state, 'draining')
  await rig.run.end({ how: 'done' })
  assert.deepEqual(rig.ended, { how: 'done' })
})

test('worker slot: ends after three crashes while draining', async () => {
  const rig = new Rig()
  await rig.startReady()
  rig.slot.drain()
  for (let i = 0; i < 3; i++) {
    await rig.run.crash()
    await rig.pass(100, false)
  }
  assert.equal(rig.ended?.how, 'crashed')
  assert.deepEqual([rig.runs.length, rig.crashes], [3, 3])
})

test('worker slot: stop ends a slot that waits for its restart', async () => {
  const rig = new Rig()
  await rig.startReady()
  await rig.run.crash()
  rig.slot.stop()
  await turn()
  assert.deepEqual(rig.ended, { how: 'done' })
})

test('worker slot: the crash of a worker that cannot be restarted ends its slot', async () => {
  const rig = new Rig({ isRestartable: false })
  await rig.startReady()
  await rig.run.crash('EIO')
  assert.deepEqual(rig.ended, { how: 'crashed', message: 'the shipper failed: EIO' })
  assert.equal(rig.crashes, 1)
})

test('worker slot: a slot that was never started ends with a drain or a stop', async () => {
  for (const how of ['drain', 'stop'] as const) {
    const rig = new Rig()
    rig.slot[how]()
    await turn()
    assert.deepEqual([rig.ended, rig.runs.length], [{ how: 'done' }, 0])
    await rig.slot.start()
    assert.equal(rig.runs.length, 0)
  }
})

test('worker slot: posts reach only the running thread', async () => {
  const rig = new Rig()
  await rig.startReady()
  rig.slot.post('first')
  await rig.run.crash()
  rig.slot.post('lost')
  await rig.pass(200, false)
  rig.slot.post('second')
  assert.deepEqual(
    rig.runs.map(({ posted }) => posted),
    [['first'], ['second']],
  )
})

type Step = 'start' | 'ready' | 'crash' | 'done' | 'fail' | 'drain' | 'stop' | 'pass' | 'hang'

test('worker slot: in any order of events, at most one thread runs, every crash is counted, and the slot ends once', async () => {
  const step = fc.constantFrom<Step>('start', 'ready', 'crash', 'done', 'fail', 'drain', 'stop', 'pass', 'hang')
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
      const rig = new Rig()
      const isRunning: boolean[] = []
      let crashes = 0
      let commanded: number = COMMAND_RUN
      const finish = async (how: WorkerEnd): Promise<void> => {
        const last = rig.runs.length - 1
        if (last < 0 || isRunning[last] === false) return
        isRunning[last] = false
        if (how.how === 'crashed') crashes += 1
        await rig.run.end(how)
      }
      for (const what of steps) {
        if (what === 'start') void rig.slot.start()
        if (what === 'ready' && rig.runs.length > 0) await rig.run.becomeReady()
        if (what === 'crash') await finish({ how: 'crashed', message: 'boom' })
        if (what === 'done') await finish({ how: 'done' })
        if (what === 'fail')
          await finish({ how: 'failed', failure: { message: 'no', exitCode: EXIT_RUNTIME, hint: null } })
        if (what === 'drain') rig.slot.drain()
        if (what === 'stop') rig.slot.stop()
        if (what === 'pass') await rig.pass(100, true)
        if (what === 'hang') await rig.pass(35_000, false)
        await turn()
        rig.runs.forEach(({ terminated }, i) => {
          if (terminated && isRunning[i] !== false) {
            isRunning[i] = false
            crashes += 1
          }
        })
        const running = rig.runs.filter((_, i) => isRunning[i] !== false)
        assert.ok(running.length <= 1, `${running.length} threads at once`)
        assert.equal(rig.crashes, crashes)
        assert.equal(rig.ended !== null, rig.slot.state === 'stopped')
        if (rig.slot.state === 'stopped') assert.equal(running.length, 0)
        assert.ok(rig.slot.control.command >= commanded || commanded === COMMAND_STOP)
        commanded = rig.slot.control.command
      }
      rig.slot.stop()
      await finish({ how: 'done' })
      await turn()
      assert.notEqual(rig.ended, null)
    }),
    { numRuns: 300 },
  )
})
