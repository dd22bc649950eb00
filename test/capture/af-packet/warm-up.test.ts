import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CaptureWarmUp } from '../../../src/capture/af-packet/warm-up.ts'
import { CAPTURE_COUNTERS } from '../../../src/ledger/counters.ts'
import { Control } from '../../../src/thread/control.ts'

const { seen, queued } = CAPTURE_COUNTERS.index

test('capture warm-up: processes every generated frame like a captured one, without a pause, and ends', () => {
  for (const ringCount of [1, 3]) {
    const control = new Control(Control.allocate())
    control.tuned()
    const warmUp = new CaptureWarmUp(ringCount, 1, control)
    const { counters } = warmUp
    let pauseMs = 0
    while (pauseMs === 0) pauseMs = warmUp.step()
    assert.equal(pauseMs, Number.POSITIVE_INFINITY)
    assert.equal(counters[queued], counters[seen])
    assert.ok(counters[seen] >= 18_000)
  }
})

test('capture warm-up: waits until the flags of V8 are set, because what it optimizes before stays as it is', () => {
  const control = new Control(Control.allocate())
  const warmUp = new CaptureWarmUp(1, 1, control)
  const pauseMs = warmUp.step()
  assert.ok(pauseMs > 0 && pauseMs <= 100, String(pauseMs))
  assert.equal(warmUp.counters[seen], 0)
  control.tuned()
  warmUp.step()
  assert.ok(warmUp.counters[seen] > 0)
})

test('capture warm-up: pauses between steps for the share of a core that it may use', () => {
  const control = new Control(Control.allocate())
  control.tuned()
  const startMs = performance.now()
  const pauseMs = new CaptureWarmUp(1, 0.25, control).step()
  const mostMs = 3 * (performance.now() - startMs)
  assert.ok(pauseMs > 0 && pauseMs <= mostMs, `${pauseMs} of at most ${mostMs} ms`)
})

test('capture warm-up: ends where limits.cpu is short for frames', () => {
  const control = new Control(Control.allocate())
  control.tuned()
  control.shedForCpu = 1
  assert.equal(new CaptureWarmUp(1, 1, control).step(), Number.POSITIVE_INFINITY)
})
