/** Worker threads of a live pipeline that hang, throw or run out of memory are replaced, and the ledger balances. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import type { Namespace } from '../../rig/netns.ts'
import type { Config } from '../../src/config/schema.ts'
import { count } from '../../src/ledger/ledger.ts'
import type { ThreadObservation } from '../../src/ledger/observation.ts'
import { endServer, requestHttp, serveHttp } from '../support/http-traffic.ts'
import { assertLaws } from '../support/ledger.ts'
import { named, namespaces, TargetRig, targetOf } from '../support/target-rig.ts'
import { type Fault, type Role, WorkerFaults } from '../support/worker-faults.ts'

const PORT = 21180
const URL_ = `http://127.0.0.1:${PORT}/`
const skip = needs('root', 'ip')
const ROLES: readonly Role[] = ['capture', 'assemble', 'ship']

interface Setup {
  rig: TargetRig
  faults: WorkerFaults
  pod: Namespace
}

const discarding = (config: Config): Config => ({ ...config, ship: { ...config.ship, sink: 'none' } })

/** A captured pod with a server. */
async function setUp(t: TestContext, configure = discarding): Promise<Setup> {
  const [pod] = namespaces(t, 1)
  const server = await serveHttp(pod, PORT, 200)
  t.after(() => endServer(server))
  const faults = await WorkerFaults.attach(t)
  const rig = new TargetRig(t, { config: configure })
  await rig.add(named('shop', targetOf(pod)))
  requestHttp(pod, URL_, 10)
  await rig.until(() => rig.count('pairs.shipped') + rig.count('pairs.queued') === 10)
  return { rig, faults, pod }
}

function thread(rig: TargetRig, role: Role): ThreadObservation | undefined {
  return rig.pipeline.observe().threads.find((of) => of.role === role)
}

/** Waits until a faulty thread has been replaced by a working one. */
const untilReplaced = (rig: TargetRig, role: Role, restarts: number): Promise<void> =>
  rig.until(() => thread(rig, role)?.restarts === restarts && thread(rig, role)?.state === 'ready', role)

for (const role of ROLES) {
  test(`faults: a hung ${role} thread is replaced, and the run continues`, { skip }, async (t) => {
    const { rig, faults, pod } = await setUp(t)
    await faults.inject(role, 'hang')
    await untilReplaced(rig, role, 1)
    requestHttp(pod, URL_, 10)
    await rig.until(() => rig.count('pairs.shipped') === 20)
    await rig.end()
    assert.match(rig.lines.join(''), /no heartbeat for \d+\.\d s/)
  })

  for (const fault of ['throw', 'exhaust', ...(role === 'assemble' ? (['trap'] as const) : [])] satisfies Fault[]) {
    test(`faults: after the fault “${fault}” the ${role} thread is replaced, and the run continues`, {
      skip,
    }, async (t) => {
      const { rig, faults, pod } = await setUp(t)
      await faults.inject(role, fault)
      await untilReplaced(rig, role, 1)
      requestHttp(pod, URL_, 10)
      await rig.until(() => rig.count('pairs.shipped') === 20)
      await rig.end()
    })
  }
}

test('faults: what a hung assembler held is counted as lost, by reason', { skip }, async (t) => {
  const { rig, faults, pod } = await setUp(t)
  await faults.inject('assemble', 'hang')
  requestHttp(pod, URL_, 50)
  await untilReplaced(rig, 'assemble', 1)
  await rig.until(() => rig.count('frames.queued') === rig.count('frames.consumed') + rig.count('frames.lost'))
  const { ledger } = await rig.end()
  // The frames of the 50 exchanges waited in the ring, which outlives the thread.
  assert.equal(count(ledger, 'pairs.shipped'), 60)
})

test('faults: pairs that wait for Kafka survive the shipper, whatever ends it', { skip }, async (t) => {
  const { rig, faults, pod } = await setUp(t, (config) => ({
    ...config,
    ship: { ...config.ship, sink: 'kafka' },
    kafka: { ...config.kafka, brokers: ['127.0.0.1:1'] },
    shutdown: { timeout: 100 },
  }))
  for (const [restarts, fault] of (['throw', 'exhaust'] satisfies Fault[]).entries()) {
    requestHttp(pod, URL_, 10)
    await rig.until(() => rig.count('pairs.queued') === 10 * (restarts + 2))
    await faults.inject('ship', fault)
    await untilReplaced(rig, 'ship', restarts + 1)
    assert.equal(rig.count('pairs.queued'), 10 * (restarts + 2))
  }
  const { ledger } = await rig.end()
  assert.deepEqual([count(ledger, 'pairs.dropped.crash'), count(ledger, 'pairs.dropped.shutdown')], [0, 30])
})

test('faults: reports a crash loop, and drains in order during it', { skip }, async (t) => {
  const { rig, faults } = await setUp(t)
  for (let restarts = 1; restarts <= 3; restarts++) {
    await faults.inject('ship', 'throw')
    await untilReplaced(rig, 'ship', restarts)
  }
  assert.equal(thread(rig, 'ship')?.crashLooping, true)
  assert.equal(thread(rig, 'capture')?.crashLooping, false)
  await faults.inject('ship', 'throw')
  await rig.until(() => thread(rig, 'ship')?.state === 'waiting')
  rig.pipeline.drain()
  const outcome = await rig.pipeline.done
  assertLaws(outcome.ledger)
  assert.equal(outcome.exitCode, 0, outcome.failure?.message)
})
