/** What is captured on a node of fake processes, without an API server. The test decides the result of each capture. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ApiWatch, type ApiWatchOptions } from '../../src/agent/api-watch.ts'
import { NodeCapture } from '../../src/agent/node-capture.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import { targetRules } from '../../src/discovery/decide/target-rules.ts'
import { NodeScanner } from '../../src/discovery/proc/scanner.ts'
import { InterceptorError } from '../../src/errors.ts'
import type { TargetFailure } from '../../src/supervisor/options.ts'
import { observation } from '../admin/agent-state.ts'
import { FakeProc, type FakeProcess, HOST_NETNS, podNetwork } from '../discovery/fake-proc.ts'
import { failure, RecordingPipeline, settled } from './recording-pipeline.ts'

const NEVER = new Promise<never>(() => {})

const pod = (index: number): FakeProcess => ({
  pid: index * 100,
  command: ['nginx'],
  netns: HOST_NETNS + index,
  cgroup: `/kubepods/pod00000000-0000-4000-8000-00000000000${index}/${'ab'.repeat(32)}`,
  network: podNetwork(index),
})
const keyOf = (index: number): string => `${HOST_NETNS + index}/eth0`

const configWith = (targets: Partial<Config['targets']>): Config => {
  const { config } = loadConfig({ env: {} })
  return { ...config, targets: { ...config.targets, ...targets } }
}

class Rig {
  readonly proc: FakeProc
  readonly pipeline = new RecordingPipeline()
  readonly warnings: string[] = []
  readonly denied: TargetFailure[] = []
  readonly node: NodeCapture
  api!: ApiWatchOptions

  constructor(t: TestContext, targets: Partial<Config['targets']>, ...processes: FakeProcess[]) {
    this.proc = FakeProc.create(t, ...processes)
    this.pipeline.result = null
    const config = configWith(targets)
    const own = { uid: null, name: null, namespace: null, netns: null }
    this.node = new NodeCapture({
      config,
      own,
      rules: targetRules(config, own),
      scanner: new NodeScanner(this.proc.root),
      startApi: (options) => {
        this.api = options
        return new ApiWatch(null)
      },
      pipeline: this.pipeline,
      log: { info: () => {}, warn: (message) => this.warnings.push(message) },
      onDenied: (one) => this.denied.push(one),
    })
    t.after(() => this.node.stop())
  }

  get start() {
    return this.node.state(observation()).start
  }

  /** All calls so far, once one of them begins with `call`. */
  async until(call: string): Promise<string[]> {
    const calls: string[] = []
    while (!calls.some((one) => one.startsWith(call))) {
      calls.push(...this.pipeline.take())
      await settled()
    }
    return calls
  }
}

test('NodeCapture: the start is complete once every pod of the first scan is captured or failed, and remains complete', async (t) => {
  const rig = new Rig(t, {}, pod(1), pod(2))
  assert.deepEqual([rig.start.done, rig.node.state(observation()).discovery], [false, null])
  await rig.node.start(NEVER)
  await rig.until(`add ${keyOf(2)}`)
  assert.deepEqual(rig.start, { opening: 2, done: false })
  await rig.pipeline.opened(keyOf(1))
  assert.deepEqual(rig.start, { opening: 1, done: false })
  await rig.pipeline.opened(keyOf(2), failure('gone'))
  assert.deepEqual(rig.start, { opening: 0, done: true })
  rig.proc.put(pod(3))
  await rig.until(`add ${keyOf(3)}`)
  assert.deepEqual(rig.start, { opening: 1, done: true })
  const { discovery } = rig.node.state(observation())
  assert.deepEqual([discovery?.processes, discovery?.failures], [4, 0])
})

test('NodeCapture: sets the kept vantages with the first scan, and again only when they change', async (t) => {
  const rig = new Rig(t, { clusterNetworks: ['10.0.0.0/8'] }, pod(1))
  rig.api.onNetworks()
  assert.deepEqual(rig.pipeline.take(), [])
  await rig.node.start(NEVER)
  const calls = await rig.until('add')
  assert.deepEqual(
    calls.filter((call) => call.startsWith('policy')),
    ['policy server 10.0.0.0/8'],
  )
  rig.api.onNetworks()
  rig.node.apply(configWith({ clusterNetworks: ['10.0.0.0/8'] }), ['log.level'])
  assert.deepEqual(rig.pipeline.take(), [])
  rig.node.apply(configWith({ clusterNetworks: ['10.0.0.0/8'], keep: 'both' }), ['targets.keep'])
  assert.deepEqual(rig.pipeline.take(), ['policy both 10.0.0.0/8'])
})

test('NodeCapture: applies reloaded rules at once, and ignores invalid ones', async (t) => {
  const rig = new Rig(t, {}, pod(1))
  await rig.node.start(NEVER)
  await rig.until('add')
  await rig.pipeline.opened(keyOf(1))
  const unusable = configWith({ selector: 'a in b', keep: 'both' })
  assert.throws(() => rig.node.apply(unusable, ['targets.selector', 'targets.keep']), InterceptorError)
  assert.deepEqual(rig.pipeline.take(), [])
  // Without an API server no pod has labels.
  rig.node.apply(configWith({ selector: 'app=shop' }), ['targets.selector'])
  assert.equal(rig.node.state(observation()).nothingCaptured, null)
  assert.deepEqual(await rig.until('remove'), [`remove ${keyOf(1)}`])
  assert.notEqual(rig.node.state(observation()).nothingCaptured, null)
  assert.match(rig.warnings.join(), /^nothing is captured: /)
})

test('NodeCapture: rules that need an API server are reported where there is none', async (t) => {
  const rig = new Rig(t, { selector: 'app=shop' }, pod(1))
  await rig.node.start(NEVER)
  assert.match(rig.warnings.join(), /there is no API server: no pod is captured/)
  const other = new Rig(t, {}, pod(1))
  await other.node.start(NEVER)
  assert.deepEqual(other.warnings, [])
})

test('NodeCapture: does not scan if it is stopped before its start', async (t) => {
  const rig = new Rig(t, {}, pod(1))
  rig.node.stop()
  await rig.node.start(Promise.resolve())
  for (let i = 0; i < 10; i++) await settled()
  assert.deepEqual([rig.pipeline.take(), rig.node.state(observation()).discovery], [[], null])
})

test('NodeCapture: a missing privilege is reported', async (t) => {
  const rig = new Rig(t, {}, pod(1))
  await rig.node.start(NEVER)
  await rig.until('add')
  await rig.pipeline.opened(keyOf(1), failure('denied'))
  assert.deepEqual(
    rig.denied.map(({ reason }) => reason),
    ['denied'],
  )
})
