/** Assembler threads that crash or hang are replaced on the same rings, and the counters balance. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ToAssembler } from '../../../src/assemble/worker-data.ts'
import { defaultConfig } from '../../../src/config/load.ts'
import { count, type Ledger } from '../../../src/ledger/ledger.ts'
import { createLogger } from '../../../src/log/logger.ts'
import type { Pair } from '../../../src/pair/pair.ts'
import { AssemblerPool } from '../../../src/supervisor/workers/assembler-pool.ts'
import { AssemblerState } from '../../../src/supervisor/workers/assembler-state.ts'
import { threads } from '../../../src/supervisor/workers/threads.ts'
import { summary } from '../../support/assemble-harness.ts'
import { request } from '../../support/http-script.ts'
import { assertLaws } from '../../support/ledger.ts'
import { TcpScript } from '../../support/tcp-script.ts'
import { exchange, SlotRig } from './slot-rig.ts'

/** A pool of one slot. */
class Rig extends SlotRig {
  readonly pool: AssemblerPool
  readonly lines: string[] = []
  readonly state = new AssemblerState(defaultConfig())

  constructor() {
    super()
    const log = createLogger({ level: 'error', form: 'json', foldMs: 0, write: (line) => this.lines.push(line) })
    this.pool = new AssemblerPool({ slots: [this.slot], state: this.state, stages: threads, threadMates: [], log })
    const checking = setInterval(() => this.pool.check(), 20)
    void this.pool.ended.then(() => clearInterval(checking))
  }

  /** Posts a message to the assemblers like the pipeline. */
  post(message: ToAssembler): this {
    this.state.apply(message)
    this.pool.post(message)
    return this
  }

  async until(what: () => boolean): Promise<void> {
    for (let turns = 0; !what(); turns++) {
      assert.ok(turns < 4000, 'waited in vain')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  async finish(): Promise<{ pairs: Pair[]; ledger: Ledger }> {
    this.intake.finish()
    await this.pool.ended
    const pairs = this.takePairs()
    return { pairs, ledger: this.ledger(pairs) }
  }
}

const open = (n: number): TcpScript => new TcpScript().handshake().client(request(`/${n}`))

test('assembler pool: every assembler runs once, to the end of its input', async () => {
  const rig = new Rig()
  const { pairs, ledger } = await rig.send(exchange(1), 1).send(exchange(2), 2).finish()
  assert.deepEqual(summary(pairs), ['GET /1 200', 'GET /2 200'])
  assertLaws(ledger)
  assert.equal(rig.pool.restarts, 0)
})

test('assembler pool: restarts an assembler that fails, which continues with the next frames', async () => {
  const rig = new Rig()
  rig.send(exchange(1), 1).flush()
  await rig.until(() => rig.published)
  rig.corrupt().flush()
  await rig.until(() => rig.pool.restarts === 1)
  const { pairs, ledger } = await rig.send(exchange(2), 2).finish()
  assert.deepEqual(summary(pairs), ['GET /1 200', 'GET /2 200'])
  assertLaws(ledger)
  assert.equal(rig.lines.length, 1)
  assert.match(rig.lines[0], /the assembler failed and is restarted/)
})

test('assembler pool: a restarted assembler knows the interfaces that were announced before', async () => {
  const rig = new Rig()
  rig.send(exchange(1), 1).corrupt().flush()
  await rig.until(() => rig.pool.restarts === 1)
  const { pairs } = await rig.send(exchange(2), 2).finish()
  assert.deepEqual(
    pairs.map(({ capture }) => capture),
    pairs.map(() => ({ node: 'n1', interface: 'eth7', vantage: 'server', mesh: null })),
  )
  assert.ok(summary(pairs).includes('GET /2 200'))
  assert.equal(rig.pool.restarts, 1)
})

const named = (name: string): ToAssembler => ({
  t: 'interface',
  id: 1,
  info: { name, vantage: 'server', mesh: null, domain: 1, vantagePoint: null },
})

test('assembler pool: a message applies to the frames after it, also after a restart', async () => {
  const rig = new Rig()
  await rig.pool.ready()
  for (const [n, name] of ['first', 'second', 'third'].entries()) {
    rig.post(named(name)).send(exchange(n), n, 1).flush()
    await rig.until(() => count(rig.ledger([]), 'pairs.kept') === n + 1)
  }
  rig.corrupt().flush()
  await rig.until(() => rig.pool.restarts === 1)
  rig.send(exchange(3), 3, 1).flush()
  await rig.until(() => count(rig.ledger([]), 'pairs.kept') === 4)
  const { pairs } = await rig.post(named('fourth')).send(exchange(4), 4, 1).finish()
  const names = pairs.map(({ capture }) => capture.interface)
  assert.deepEqual(names, ['first', 'second', 'third', 'third', 'fourth'])
})

test('assembler pool: a message posted while no thread runs reaches the next one', async () => {
  const rig = new Rig()
  rig.post(named('early'))
  rig.corrupt().flush()
  await rig.until(() => rig.lines.length === 1)
  rig.post(named('late'))
  const { pairs } = await rig.send(exchange(1), 1, 1).finish()
  assert.deepEqual(
    pairs.map(({ capture }) => capture.interface),
    ['late'],
  )
})

test('assembler pool: reports the CPU time while they run', async () => {
  const rig = new Rig()
  await rig.until(() => rig.pool.observe()[0].cpuSeconds !== null)
  const [thread] = rig.pool.observe()
  assert.deepEqual([thread.role, thread.slot, thread.restarts], ['assemble', 0, 0])
  assert.ok(thread.cpuSeconds! > 0)
  await rig.finish()
  assert.deepEqual(rig.pool.observe(), [], 'no thread is left')
})

test('assembler pool: pairs completed just before a failure are not lost', async () => {
  const rig = new Rig()
  const { pairs, ledger } = await rig.send(exchange(1), 1).corrupt().send(exchange(2), 2).finish()
  assert.ok(summary(pairs).includes('GET /1 200'))
  assertLaws(ledger)
})

test('assembler pool: counts what a failed assembler held as lost by a crash', async () => {
  const rig = new Rig()
  rig.send(open(1), 1).send(open(2), 2).send(exchange(3), 3).flush()
  await rig.until(() => rig.published)
  rig.corrupt().flush()
  await rig.until(() => rig.pool.restarts === 1)
  const { ledger } = await rig.finish()
  assertLaws(ledger)
  assert.equal(count(ledger, 'requests.abandoned.crash'), 2)
  assert.equal(count(ledger, 'flows.closed.crash'), 2)
})

test('assembler pool: replaces terminated threads, which continue', async () => {
  const rig = new Rig()
  rig.send(exchange(1), 1).send(open(2), 2).flush()
  await rig.until(() => rig.published)
  rig.pool.terminate()
  await rig.until(() => rig.pool.restarts > 0)
  const { pairs, ledger } = await rig.send(exchange(3), 3).finish()
  assert.deepEqual(summary(pairs), ['GET /1 200', 'GET /3 200'])
  assertLaws(ledger)
  assert.equal(count(ledger, 'requests.abandoned.crash'), 1)
})

test('assembler pool: a stop ends it at once, and the ledger balances', async () => {
  const rig = new Rig()
  rig.send(open(1), 1).flush()
  await rig.until(() => count(rig.ledger([]), 'messages.requests') === 1)
  rig.pool.stop()
  await rig.pool.ended
  const ledger = rig.ledger([])
  assertLaws(ledger)
  assert.equal(count(ledger, 'requests.abandoned.ended'), 1)
})
