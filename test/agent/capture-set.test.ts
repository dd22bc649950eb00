import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CaptureSet } from '../../src/agent/capture-set.ts'
import type { TargetFailure } from '../../src/supervisor/options.ts'
import type { CaptureTarget } from '../../src/target/capture-target.ts'
import { failure, RecordingPipeline, settled, silent } from './recording-pipeline.ts'

const target = (key: string, changes: Partial<CaptureTarget> = {}): CaptureTarget => ({
  key,
  device: 'eth0',
  netns: { path: '/proc/1/ns/net', inode: 1 },
  info: { name: 'eth0', vantage: 'server', mesh: null, vantagePoint: null },
  excludePorts: [],
  tunnels: false,
  onlyAddresses: null,
  onlyPorts: null,
  labels: {},
  ...changes,
})

function make() {
  const pipeline = new RecordingPipeline()
  const clock = { now: 0 }
  const denied: TargetFailure[] = []
  const set = new CaptureSet({
    pipeline,
    log: silent,
    onDenied: (reason) => denied.push(reason),
    now: () => clock.now,
    random: () => 1,
  })
  return { pipeline, clock, denied, set }
}

test('captures: what is wanted is opened once, what is not any more is let go once', async () => {
  const { pipeline, set } = make()
  set.want([target('a'), target('b')])
  await settled()
  set.want([target('a'), target('b')])
  assert.deepEqual(pipeline.take(), ['add a', 'add b'])
  set.want([target('b')])
  set.want([target('b')])
  assert.deepEqual(pipeline.take(), ['remove a'])
})

test('captures: other names, ports or addresses are an update; another process to find the namespace by is none', async () => {
  const { pipeline, set } = make()
  set.want([target('a')])
  await settled()
  pipeline.take()
  set.want([target('a', { netns: { path: '/proc/2/ns/net', inode: 1 } })])
  assert.deepEqual(pipeline.take(), [])
  set.want([target('a', { labels: { pod: 'shop-0' } })])
  set.want([target('a', { labels: { pod: 'shop-0' } })])
  assert.deepEqual(pipeline.take(), ['update a'])
})

test('captures: what changes while it is being opened is updated afterwards', async () => {
  const { pipeline, set } = make()
  pipeline.answer = null
  set.want([target('a')])
  set.want([target('a', { excludePorts: [80] })])
  assert.deepEqual(pipeline.take(), ['add a'])
  await pipeline.opened('a')
  assert.deepEqual(pipeline.take(), ['update a'])
})

test('captures: what is not wanted any more while it is being opened is let go', async () => {
  const { pipeline, set } = make()
  pipeline.answer = null
  set.want([target('a')])
  set.want([])
  assert.deepEqual(pipeline.take(), ['add a', 'remove a'])
  await pipeline.opened('a', failure('ended'))
  await pipeline.closed('a')
  assert.equal(set.failing, 0)
})

test('captures: what is wanted again while it is being let go is opened when that is done', async () => {
  const { pipeline, set } = make()
  set.want([target('a')])
  await settled()
  set.want([])
  set.want([target('a')])
  assert.deepEqual(pipeline.take(), ['add a', 'remove a'])
  await pipeline.closed('a')
  set.want([target('a')])
  assert.deepEqual(pipeline.take(), ['add a'])
})

test('captures: a failure is tried again later and later, and from the beginning after a success', async () => {
  const { pipeline, clock, set } = make()
  pipeline.answer = failure('refused')
  const tries: number[] = []
  for (; clock.now <= 120_000; clock.now += 100) {
    set.want([target('a')])
    if (pipeline.take().length > 0) tries.push(clock.now)
    await settled()
  }
  assert.deepEqual(tries, [0, 500, 1300, 2600, 4900, 9200, 17_500, 33_800, 63_800, 93_800])
  assert.equal(set.failing, 1)
  pipeline.answer = 'captured'
  clock.now += 30_000
  set.want([target('a')])
  await settled()
  assert.equal(set.failing, 0)
})

test('captures: a pod that ended before it could be opened is not asked for again', async () => {
  const { pipeline, clock, set } = make()
  pipeline.answer = failure('gone')
  set.want([target('a')])
  await settled()
  clock.now += 60_000
  set.want([])
  assert.deepEqual([set.failing, pipeline.take()], [0, ['add a']])
})

test('captures: what could be captured here says nothing of other namespaces', async () => {
  const { pipeline, set, denied } = make()
  set.want([target('host', { netns: null })])
  await settled()
  pipeline.answer = failure('denied')
  set.want([target('host', { netns: null }), target('a')])
  await settled()
  assert.equal(denied.length, 1)
})

test('captures: a missing privilege is told while nothing was captured yet', async () => {
  const { pipeline, set, denied } = make()
  pipeline.answer = failure('denied')
  set.want([target('a')])
  await settled()
  assert.equal(denied.length, 1)
  pipeline.answer = 'captured'
  set.want([target('b')])
  await settled()
  pipeline.answer = failure('denied')
  set.want([target('b'), target('c')])
  await settled()
  assert.equal(denied.length, 1)
})
