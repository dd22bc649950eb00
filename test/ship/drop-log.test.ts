import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FoldedLog } from '../../src/log/folded-log.ts'
import { DropLog } from '../../src/ship/drop-log.ts'

const AGE = 'older than ship.maxAge'
const SIZE = 'over ship.bufferBytes'

function started(): { drops: DropLog; lines: unknown[] } {
  const lines: unknown[] = []
  const log = new FoldedLog(({ level, message, fields }) => lines.push([level, message, fields['pairs']]), {
    periodMs: 0,
  })
  return { drops: new DropLog(log), lines }
}

test('drop log: logs an outage of 20 minutes at its start, every ten minutes, and after its end', () => {
  const { drops, lines } = started()
  for (let second = 0; second <= 1200; second += 1) {
    drops.dropped('maxAge', 2, second * 1000)
    drops.check(second * 1000)
  }
  drops.check(1_259_999)
  assert.deepEqual(lines, [
    ['warn', `dropping the oldest pairs: ${AGE}`, 2],
    ['warn', `dropping the oldest pairs: ${AGE}`, 1200],
    ['warn', `dropping the oldest pairs: ${AGE}`, 1200],
  ])
  drops.dropped('maxAge', 5, 1_259_999)
  drops.check(1_319_999)
  drops.check(1_400_000)
  assert.deepEqual(lines.slice(3), [['info', `stopped dropping pairs ${AGE}`, 5]])
})

test('drop log: logs each bound separately, and starts over at the next outage', () => {
  const { drops, lines } = started()
  drops.dropped('maxAge', 1, 0)
  drops.dropped('bufferBytes', 3, 1)
  drops.check(70_000)
  drops.dropped('bufferBytes', 4, 80_000)
  assert.deepEqual(lines, [
    ['warn', `dropping the oldest pairs: ${AGE}`, 1],
    ['warn', `dropping the oldest pairs: ${SIZE}`, 3],
    ['info', `stopped dropping pairs ${AGE}`, 0],
    ['info', `stopped dropping pairs ${SIZE}`, 0],
    ['warn', `dropping the oldest pairs: ${SIZE}`, 4],
  ])
})

test('drop log: at the end of a run, logs the drops that no line has counted', () => {
  const { drops, lines } = started()
  drops.dropped('maxAge', 1, 0)
  drops.dropped('maxAge', 7, 1)
  drops.close()
  drops.close()
  assert.deepEqual(lines, [
    ['warn', `dropping the oldest pairs: ${AGE}`, 1],
    ['warn', `dropping the oldest pairs: ${AGE}`, 7],
  ])
})
