import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReadPace } from '../../../src/capture/af-packet/read-pace.ts'

const RING_BYTES = 8_000_000

/** Simulates ten reads at a constant rate, each after the pause that ReadPace returns. @returns the pauses */
function pausesAt(bytesPerMs: number): number[] {
  const pace = new ReadPace()
  let [now, pause] = [1000, 0]
  pace.next(now, RING_BYTES)
  return Array.from({ length: 10 }, () => {
    const passed = pause + 5
    now += passed
    pace.addRead(bytesPerMs * passed)
    pause = pace.next(now, RING_BYTES)
    return pause
  })
}

test('read pace: reads light traffic every 100 ms', () => {
  assert.deepEqual(new Set(pausesAt(0)), new Set([100]))
  assert.deepEqual(new Set(pausesAt(1000)), new Set([100]))
})

test('read pace: lets no ring become more than a quarter full, and reads heavy traffic without a pause', () => {
  for (const bytesPerMs of [30_000, 100_000, 150_000]) {
    const pauses = pausesAt(bytesPerMs)
    for (const pause of pauses) {
      assert.ok(pause >= 10 && pause * bytesPerMs <= RING_BYTES / 4, `${bytesPerMs} bytes/ms: ${pause} ms`)
    }
  }
  assert.deepEqual(new Set(pausesAt(400_000)), new Set([0]))
})
