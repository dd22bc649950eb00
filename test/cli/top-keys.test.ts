import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TopKeys } from '../../src/cli/top-keys.ts'
import { TopView } from '../../src/format/top-view.ts'
import { GROUPINGS, SORT_KEYS } from '../../src/routes/route-names.ts'

function keys() {
  const view = new TopView(TopView.allocate('route', 'requests', 24, 80))
  const state = { view, quits: 0, keys: new TopKeys(view, () => state.quits++) }
  return state
}

test('TopKeys: g and s cycle through all groupings and orders', () => {
  const { view, keys: pressed } = keys()
  const seen = GROUPINGS.map(() => {
    pressed.press('g')
    return view.by
  })
  assert.deepEqual(seen, [...GROUPINGS.slice(1), 'route'])
  for (let count = 0; count < SORT_KEYS.length + 1; count += 1) pressed.press('s')
  assert.equal(view.sort, 'errors')
})

test('TopKeys: characters after / are the filter, until Enter', () => {
  const { view, keys: pressed } = keys()
  pressed.press('/gs')
  pressed.press('pü')
  pressed.press('\x7f')
  assert.deepEqual([view.filter, view.by, view.sort, view.paused], ['gsp', 'route', 'requests', false])
  pressed.press('\rp')
  assert.deepEqual([view.filter, view.paused], ['gsp', true])
  pressed.press('\x1b')
  assert.equal(view.filter, '')
  pressed.press('/q\x1bg')
  assert.deepEqual([view.filter, view.by], ['', 'workload'])
})

test('TopKeys: q and Ctrl-C quit, Ctrl-C also while a filter is typed; cursor keys do nothing', () => {
  const state = keys()
  state.keys.press('\x1b[A')
  state.keys.press('q')
  state.keys.press('/q\x03')
  assert.deepEqual([state.quits, state.view.filter], [2, 'q'])
})
