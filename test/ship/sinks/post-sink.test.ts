import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unpackPair } from '../../../src/pair/unpack.ts'
import type { FromWorker } from '../../../src/thread/messages.ts'
import { startShipper, until } from '../support.ts'

const MIB = 1024 * 1024

type Batch = Extract<FromWorker, { t: 'pairs' }>

const batchesOf = (messages: readonly FromWorker[]): Batch[] => messages.filter((message) => message.t === 'pairs')

const targetsOf = ({ bytes, ends }: Batch): string[] =>
  ends.map((end, index) => {
    const pair = unpackPair(bytes.subarray(ends[index - 1] ?? 0, end))
    return pair instanceof Error ? pair.message : pair.request.target
  })

test('post sink: posts every pair once and in order, large ones too', async () => {
  const run = startShipper({ sink: { kind: 'post', consumed: new SharedArrayBuffer(4) } })
  for (let number = 0; number < 700; number += 1) {
    await run.put(number, { bodyBytes: number === 300 ? 600 * 1024 : 20 })
  }
  assert.equal((await run.finish()).t, 'done')
  assert.deepEqual(
    batchesOf(run.messages).flatMap(targetsOf),
    Array.from({ length: 700 }, (_, number) => `/orders/${number}`),
  )
  assert.equal(run.counter('shipped'), 700)
})

test('post sink: stops at a limit of pairs', async () => {
  const run = startShipper({ sink: { kind: 'post', consumed: new SharedArrayBuffer(4) }, limit: 3 })
  for (let number = 0; number < 10; number += 1) await run.put(number)
  await run.finish()
  assert.equal(batchesOf(run.messages).flatMap(targetsOf).length, 3)
})

test('post sink: stops posting while the reader does not consume', async () => {
  const consumed = new SharedArrayBuffer(4)
  const run = startShipper({ sink: { kind: 'post', consumed }, ringBytes: 16 * MIB })
  for (let number = 0; number < 120; number += 1) await run.put(number, { bodyBytes: 100 * 1024 })
  run.flush()
  const postedBytes = (): number => batchesOf(run.messages).reduce((sum, { bytes }) => sum + bytes.length, 0)
  await until('the bound is reached', () => postedBytes() >= 4 * MIB && run.counter('queued') > 0)
  assert.ok(postedBytes() < 5 * MIB)
  Atomics.store(new Int32Array(consumed), 0, 64 * MIB)
  await until('the rest is posted', () => run.counter('shipped') === 120)
  await run.finish()
})
