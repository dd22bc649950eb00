import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TopView } from '../../src/format/top-view.ts'

test('TopView: another thread reads what one has set, and detects every change', () => {
  const shared = TopView.allocate('client', 'p95', 24, 80)
  const [main, drawing] = [new TopView(shared), new TopView(shared)]
  assert.deepEqual([drawing.by, drawing.sort, drawing.paused, drawing.filter], ['client', 'p95', false, ''])
  assert.deepEqual([drawing.rows, drawing.columns], [24, 80])
  const changes: (() => void)[] = [
    () => {
      main.by = 'status'
    },
    () => {
      main.sort = 'bytes'
    },
    () => {
      main.paused = true
    },
    () => {
      main.filter = 'größe'
    },
    () => main.resize(50, 200),
  ]
  for (const change of changes) {
    const before = drawing.changes
    change()
    assert.notEqual(drawing.changes, before)
  }
  assert.deepEqual([drawing.by, drawing.sort, drawing.paused, drawing.filter], ['status', 'bytes', true, 'größe'])
  assert.deepEqual([drawing.rows, drawing.columns], [50, 200])
})

test('TopView: truncates a filter that is too long, and a shorter one replaces it', () => {
  const view = new TopView(TopView.allocate('route', 'requests', 24, 80))
  view.filter = 'x'.repeat(1000)
  assert.equal(view.filter, 'x'.repeat(256))
  view.filter = 'ab'
  assert.equal(view.filter, 'ab')
})
