import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ASSEMBLE_COUNTERS } from '../../src/ledger/counters.ts'
import { allocateTraffic, sumTraffic, TrafficBlock } from '../../src/ledger/traffic.ts'

const { index: C } = ASSEMBLE_COUNTERS

test('traffic: sums the blocks of all assemblers', () => {
  const blocks = [allocateTraffic(), allocateTraffic(), allocateTraffic()]
  const [one, two] = blocks.map((shared) => new TrafficBlock(shared))
  one.counts[C.flowsSeen] = 2
  two.counts[C.flowsSeen] = 3
  two.counts[C.filteredStatus] = 1
  one.keepLast(2_000_000)
  two.keepLast(1_000_000)
  const names = Buffer.from('a.example b.example')
  one.serverNames.add(names, 0, 9)
  two.serverNames.add(names, 10, 19)
  two.serverNames.add(names, 10, 19)
  one.protocols.add(names, 0, 1)
  const { ledger, serverNames, protocols, lastPairMicros } = sumTraffic(blocks)
  assert.deepEqual(ledger['flows'], { ...Object(ledger['flows']), seen: 5 })
  assert.equal(JSON.stringify(ledger['pairs']).includes('"status":1'), true)
  assert.deepEqual(
    [...serverNames],
    [
      ['b.example', 2],
      ['a.example', 1],
    ],
  )
  assert.deepEqual([...protocols], [['a', 1]])
  assert.equal(lastPairMicros, 2_000_000)
})

test('traffic: without a pair there is no last one', () => {
  assert.equal(sumTraffic([allocateTraffic()]).lastPairMicros, null)
  assert.equal(sumTraffic([]).lastPairMicros, null)
})
