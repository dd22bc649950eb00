import assert from 'node:assert/strict'
import { test } from 'node:test'
import { QuotaPace } from '../../src/assemble/quota-pace.ts'

/** The kernel's scheduler sees only at its ticks that a group has used up its quota (CONFIG_HZ=250). */
const TICK_MS = 4
const RUN_MS = 20_000

/** What a simulated process did. */
interface Outcome {
  /** CPU time used, as a share of the quota. */
  used: number
  /** Share of the time in which it stood still, and the longest such time in milliseconds. */
  stopped: number
  longestMs: number
}

/**
 * A process with a quota on two CPUs: a capture thread that needs two fifths of it, and an assembler that always has work.
 *
 * @param quota CPUs, at most 1 @param periodMs after which the quota is granted again @param paces whether the assembler sleeps
 */
function run(quota: number, periodMs: number, paces: boolean): Outcome {
  const pace = new QuotaPace()
  const budget = quota * periodMs
  let [cpuMs, charged, stopped, sinceMs, longestMs] = [0, 0, 0, 0, 0]
  let [captureOwes, sleepsUntil, isStopped] = [0, 0, false]
  for (let nowMs = 1; nowMs <= RUN_MS; nowMs++) {
    if (nowMs % periodMs === 0) charged = Math.max(0, charged - budget)
    if (isStopped && charged < budget) isStopped = false
    captureOwes += 0.4 * quota
    sinceMs = isStopped ? sinceMs + 1 : 0
    longestMs = Math.max(longestMs, sinceMs)
    if (isStopped) {
      stopped += 1
      continue
    }
    const captured = Math.min(1, captureOwes)
    captureOwes -= captured
    const assembled = nowMs >= sleepsUntil ? 1 : 0
    cpuMs += captured + assembled
    charged += captured + assembled
    if (nowMs % TICK_MS === 0 && charged >= budget) isStopped = true
    if (assembled > 0 && paces) sleepsUntil = nowMs + 1 + pace.next(nowMs, cpuMs, quota)
  }
  return { used: cpuMs / RUN_MS / quota, stopped: stopped / RUN_MS, longestMs }
}

test('quota pace: uses the quota, and hardly ever all of it before its period ends', () => {
  for (const periodMs of [10, 100]) {
    for (const quota of [0.2, 0.5, 0.9]) {
      const [unpaced, paced] = [run(quota, periodMs, false), run(quota, periodMs, true)]
      const text = `${quota} every ${periodMs} ms: ${JSON.stringify({ unpaced, paced })}`
      assert.ok(paced.used >= 0.9 && paced.used <= 1, text)
      assert.ok(paced.stopped <= unpaced.stopped / 4, text)
      assert.ok(paced.longestMs <= 20, text)
    }
  }
})

test('quota pace: does not sleep while less than the quota is used, and at most 20 ms whatever was used', () => {
  const pace = new QuotaPace()
  for (let nowMs = 0; nowMs < 1000; nowMs += 10) assert.equal(pace.next(nowMs, nowMs / 10, 0.2), 0)
  assert.equal(pace.next(1000, 10_000, 0.2), 20)
  assert.equal(pace.next(2000, 10_000, 0.2), 0, 'what was saved meanwhile')
})
