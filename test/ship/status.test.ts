import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OutputProgress, ShipStatus } from '../../src/ship/status.ts'

test('ship status: another thread reads what was published last', () => {
  const shared = ShipStatus.allocate()
  const [shipper, reader] = [new ShipStatus(shared), new ShipStatus(shared)]
  assert.deepEqual([reader.bytes, reader.oldestMs, reader.reachable], [0, 0, null])
  for (const reachable of [true, false, null]) {
    shipper.publish(2 ** 40, 12.5, reachable)
    assert.deepEqual([reader.bytes, reader.oldestMs, reader.reachable], [2 ** 40, 12.5, reachable])
  }
})

test('ship status: shipper, output and tap do not overwrite each other’s values', () => {
  const shared = ShipStatus.allocate()
  const status = new ShipStatus(shared)
  const progress = new OutputProgress(shared)
  assert.deepEqual([progress.begun, progress.pairs, progress.bytes], [false, 0, 0])
  status.publish(1, 2, true)
  status.tapReaders = 3
  status.tapNotShown = 4
  status.tapOpen = true
  progress.begun = true
  progress.pairs = 5
  progress.bytes = 6
  assert.deepEqual([status.bytes, status.oldestMs, status.reachable], [1, 2, true])
  assert.deepEqual([status.tapReaders, status.tapNotShown, status.tapOpen], [3, 4, true])
  assert.deepEqual([progress.begun, progress.pairs, progress.bytes], [true, 5, 6])
})

test('output progress: a replacement shipper continues after what the failed one has written', () => {
  const shared = ShipStatus.allocate()
  const failed = new OutputProgress(shared)
  failed.begun = true
  failed.pairs = 9
  failed.bytes = 1234
  const next = new OutputProgress(shared)
  assert.deepEqual([next.begun, next.pairs, next.bytes], [true, 9, 1234])
  next.begun = false
  assert.equal(failed.begun, false)
})
