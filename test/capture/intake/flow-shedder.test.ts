import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FlowShedder } from '../../../src/capture/intake/flow-shedder.ts'

/** The number of lower halves that are kept, of all possible ones. */
const kept = (shedder: FlowShedder): number => {
  let count = 0
  for (let hash = 0; hash < 0x10000; hash++) if (shedder.keeps(hash)) count++
  return count
}

test('flow shedder: keeps everything without overload', () => {
  const shedder = new FlowShedder()
  for (let batch = 0; batch < 10; batch++) shedder.endBatch()
  assert.equal(kept(shedder), 0x10000)
  assert.equal(shedder.keeps(-1), true)
})

test('flow shedder: overload sheds an eighth, once per batch however often it is reported', () => {
  const shedder = new FlowShedder()
  for (let frame = 0; frame < 1000; frame++) shedder.shedMore()
  assert.equal(kept(shedder), 0x10000 * (7 / 8))
  shedder.endBatch()
  shedder.shedMore()
  assert.equal(kept(shedder), 0x10000 * (7 / 8) ** 2)
})

test('flow shedder: always keeps some connections, and all of them again later', () => {
  const shedder = new FlowShedder()
  for (let batch = 0; batch < 1000; batch++) {
    shedder.shedMore()
    shedder.endBatch()
  }
  assert.equal(kept(shedder), 0x10000 / 64)
  for (let batch = 0; batch < 128; batch++) shedder.endBatch()
  assert.equal(kept(shedder), 0x10000)
})

test('flow shedder: a connection kept under more overload is kept under less', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 40 }), (hashes, batches) => {
      const [less, more] = [new FlowShedder(), new FlowShedder()]
      for (let batch = 0; batch < batches; batch++) {
        more.shedMore()
        more.endBatch()
        if (batch % 2 === 0) {
          less.shedMore()
          less.endBatch()
        }
      }
      for (const hash of hashes) assert.ok(!more.keeps(hash) || less.keeps(hash))
    }),
  )
})
