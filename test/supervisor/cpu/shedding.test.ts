import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KEEP_ALL } from '../../../src/capture/intake/flow-shedder.ts'
import { FoldedLog, type LogRecord } from '../../../src/log/folded-log.ts'
import { Shedding } from '../../../src/supervisor/cpu/shedding.ts'
import { Control } from '../../../src/thread/control.ts'

function start(cores: number) {
  const assemblers = [new Control(Control.allocate())]
  const quotas: (number | null)[] = []
  const quota = (): number | null => quotas.shift() ?? null
  const controls = [0, 1].map(() => new Control(Control.allocate()))
  const records: LogRecord[] = []
  const log = new FoldedLog((record) => records.push(record), { periodMs: 0 })
  let frames = 0
  const keptFrames = (): number => {
    frames += 1000
    return frames
  }
  return {
    controls,
    assemblers,
    quotas,
    records,
    shedding: new Shedding({ cores, controls, assemblers, quota, keptFrames, log }),
  }
}

test('shedding: overload is logged once when it begins and once when it has been over for 10 s', () => {
  const { controls, records, shedding } = start(0)
  shedding.check(0)
  controls[1].shedForOverload = KEEP_ALL / 4
  for (const nowMs of [250, 500, 750]) shedding.check(nowMs)
  assert.deepEqual(shedding.observe(), { cpu: 1, overload: 0.75 })
  controls[1].shedForOverload = 0
  for (const nowMs of [1000, 10_000]) shedding.check(nowMs)
  assert.equal(shedding.hasShedLately, true, 'the start memory is not returned yet')
  controls[0].shedForOverload = 1
  shedding.check(10_250)
  controls[0].shedForOverload = 0
  for (const nowMs of [20_000, 20_250, 30_000]) shedding.check(nowMs)
  assert.equal(shedding.hasShedLately, false)
  assert.deepEqual(
    records.map(({ level, message }) => [level, message]),
    [
      ['warn', 'connections are shed because frames arrive faster than they can be processed'],
      ['info', 'all connections are kept again'],
    ],
  )
})

test('shedding: a process that uses more than limits.cpu makes every capture worker shed', {
  timeout: 20_000,
}, async (t) => {
  const { controls, records, shedding } = start(0.05)
  t.after(() => shedding.end())
  shedding.start()
  while (controls.some(({ shedForCpu }) => shedForCpu === 0)) {
    for (const end = performance.now() + 20; performance.now() < end; );
    await sleep(1)
  }
  assert.ok(shedding.observe().cpu < 1)
  shedding.check(0)
  assert.deepEqual(
    records.map(({ message }) => message),
    ['connections are shed to hold limits.cpu'],
  )
})

test('shedding: tells all threads the quota, once a second', () => {
  const { controls, assemblers, quotas, shedding } = start(0)
  const told = (): number[] => [...controls, ...assemblers].map(({ cpuQuota }) => cpuQuota)
  quotas.push(0.2, 0.5, null)
  shedding.start()
  assert.deepEqual(told(), [0.2, 0.2, 0.2], 'before the first frame')
  shedding.check(1000)
  shedding.check(1500)
  assert.deepEqual(told(), [0.5, 0.5, 0.5])
  shedding.check(2000)
  assert.deepEqual(told(), [0, 0, 0])
})
