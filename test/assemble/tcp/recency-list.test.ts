import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Links, NO_FLOW, RecencyList } from '../../../src/assemble/tcp/recency-list.ts'

const CAPACITY = 8

/** From the oldest to the newest, read in both directions. */
function contents(list: RecencyList, links: Links): number[] {
  const forward: number[] = []
  for (let i = list.oldest; i !== NO_FLOW; i = links.newer[i]) forward.push(i)
  const backward: number[] = []
  for (let i = list.newest; i !== NO_FLOW; i = links.older[i]) backward.unshift(i)
  assert.deepEqual(backward, forward)
  assert.equal(list.size, forward.length)
  return forward
}

test('recency list: two lists over the same links hold what arrays would', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(CAPACITY - 1), fc.nat(1))), (moves) => {
      const links = new Links(CAPACITY)
      const lists = [new RecencyList(links), new RecencyList(links)]
      const models: number[][] = [[], []]
      for (const [index, to] of moves) {
        const from = models.findIndex((model) => model.includes(index))
        if (from >= 0) {
          lists[from].unlink(index)
          models[from].splice(models[from].indexOf(index), 1)
        }
        lists[to].push(index)
        models[to].push(index)
        assert.deepEqual(
          lists.map((list) => contents(list, links)),
          models,
        )
      }
    }),
  )
})
