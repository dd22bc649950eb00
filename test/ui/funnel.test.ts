import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ASSEMBLE_COUNTERS, CAPTURE_COUNTERS, SHIP_COUNTERS } from '../../src/ledger/counters.ts'
import { MEANINGS } from '../../src/ledger/meanings.ts'
import { funnel } from '../../src/ui/funnel.ts'

test('funnel: each stage lists its losses, largest first, with their meaning', () => {
  const stages = funnel({
    frames: {
      seen: 10,
      queued: 7,
      consumed: 6,
      skipped: { nonTcp: 1, malformed: 2 },
      dropped: { ring: 0 },
      kernelDropped: 5,
    },
    flows: { seen: 4, protocol: { http1: 2, tls: 1 } },
    messages: { requests: 9, responses: 8 },
    requests: { abandoned: { gap: 1 }, waiting: 1 },
    pairs: { assembled: 7, kept: 6, filtered: { status: 1 }, shipped: 6 },
  })
  assert.deepEqual(
    stages.map((stage) => [stage.title, stage.in, stage.out, stage.rest]),
    [
      ['Frames', 10, 6, 1],
      ['Connections', 4, 2, 1],
      ['Messages', 9, 7, 1],
      ['Rules', 7, 6, 0],
      ['Output', 6, 6, 0],
    ],
  )
  assert.deepEqual(
    stages[0].losses.map(({ path, count }) => [path, count]),
    [
      ['frames.skipped.malformed', 2],
      ['frames.skipped.nonTcp', 1],
    ],
  )
  assert.equal(stages[0].losses[1]?.meaning, 'not IP, or IP but not TCP')
  assert.deepEqual(
    stages[0].beside.map(({ path }) => path),
    ['frames.kernelDropped'],
  )
})

test('funnel: every shown counter has a meaning', () => {
  const paths = [CAPTURE_COUNTERS, ASSEMBLE_COUNTERS, SHIP_COUNTERS].flatMap((layout) => layout.paths)
  assert.deepEqual(
    paths.filter((path) => (MEANINGS[path] ?? '') === ''),
    [],
  )
})
