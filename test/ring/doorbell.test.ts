import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { Doorbell } from '../../src/ring/doorbell.ts'

/** Responds to each value of the counter with the next one, so that a lost wake-up hangs. */
const PARTNER = `
const { parentPort, workerData } = require('node:worker_threads')
import(workerData.module).then(({ Doorbell }) => {
  const own = new Doorbell(workerData.own), other = new Doorbell(workerData.other)
  const turn = new Int32Array(workerData.turn)
  for (let expected = 1; expected < workerData.turns; expected += 2) {
    while (Atomics.load(turn, 0) !== expected) own.wait(3600000, () => Atomics.load(turn, 0) === expected)
    Atomics.store(turn, 0, expected + 1)
    other.ring()
  }
  parentPort.postMessage('done')
})`

function startPartner(turns: number): { own: Doorbell; other: Doorbell; turn: Int32Array; done: Promise<unknown> } {
  const workerData = {
    module: new URL('../../src/ring/doorbell.js', import.meta.url).href,
    own: Doorbell.allocate(),
    other: Doorbell.allocate(),
    turn: new SharedArrayBuffer(4),
    turns,
  }
  const worker = new Worker(PARTNER, { eval: true, workerData })
  const done = new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  return {
    own: new Doorbell(workerData.other),
    other: new Doorbell(workerData.own),
    turn: new Int32Array(workerData.turn),
    done,
  }
}

test('Doorbell: two threads alternate without losing a wake-up', { timeout: 60_000 }, async () => {
  const turns = 40_000
  const { own, other, turn, done } = startPartner(turns)
  for (let expected = 0; expected < turns; expected += 2) {
    while (Atomics.load(turn, 0) !== expected) own.wait(3_600_000, () => Atomics.load(turn, 0) === expected)
    Atomics.store(turn, 0, expected + 1)
    other.ring()
  }
  assert.equal(await done, 'done')
})

test('Doorbell: waitAsync loses no wake-up either', { timeout: 60_000 }, async () => {
  const turns = 4000
  const { own, other, turn, done } = startPartner(turns)
  for (let expected = 0; expected < turns; expected += 2) {
    while (Atomics.load(turn, 0) !== expected) await own.waitAsync(3_600_000, () => Atomics.load(turn, 0) === expected)
    Atomics.store(turn, 0, expected + 1)
    other.ring()
  }
  assert.equal(await done, 'done')
})

test('Doorbell: does not sleep if there is work, and otherwise wakes at its timeout', {
  timeout: 60_000,
}, async () => {
  const bell = new Doorbell(Doorbell.allocate())
  bell.wait(3_600_000, () => true)
  await bell.waitAsync(3_600_000, () => true)
  let looked = 0
  bell.wait(1, () => {
    looked++
    return false
  })
  await bell.waitAsync(1, () => {
    looked++
    return false
  })
  assert.equal(looked, 2)
})
