import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packPair } from '../../src/pair/unpack.ts'
import { PairSelector } from '../../src/select/selector.ts'
import { PairStore } from '../../src/ui/pair-store.ts'
import { PairStream, type StreamOutput } from '../../src/ui/pair-stream.ts'
import type { PairRow, StreamMessage, UiState } from '../../src/ui/protocol.ts'
import { samplePair } from '../pair/samples.ts'

const STATE = { kind: 'file', title: 'x', seen: 0 } as UiState

/** A page that accepts writes while `accepts` is true. */
class Page implements StreamOutput {
  accepts = true
  destroyed = false
  readonly messages: StreamMessage[] = []

  get writableNeedDrain(): boolean {
    return !this.accepts
  }

  get rows(): PairRow[] {
    return this.messages.flatMap((message) => (message.t === 'rows' ? message.rows : []))
  }

  get skipped(): number {
    return Math.max(0, ...this.messages.map((message) => (message.t === 'rows' ? message.skipped : 0)))
  }

  write(text: string): boolean {
    for (const line of text.trimEnd().split('\n')) this.messages.push(JSON.parse(line) as StreamMessage)
    return this.accepts
  }

  destroy(): void {
    this.destroyed = true
  }
}

const add = (store: PairStore, count: number, status = 200): void => {
  for (let number = 0; number < count; number += 1) store.add(packPair(samplePair({ response: { status } })))
}

async function setUp(bounds = { pairs: 5000, bytes: 1e9 }, where: string | null = null) {
  const store = new PairStore(bounds)
  const page = new Page()
  const clock = { ms: 0 }
  const selector = where === null ? null : await PairSelector.create({ grep: [], where })
  const stream = new PairStream({ store, selector, output: page, state: () => STATE, now: () => clock.ms })
  return { store, page, clock, stream }
}

test('pair stream: sends held pairs, and then new ones, in order', async () => {
  const { store, page, stream } = await setUp()
  add(store, 3)
  stream.tick()
  add(store, 2)
  stream.tick()
  assert.deepEqual(
    page.rows.map(({ seq }) => seq),
    [0, 1, 2, 3, 4],
  )
  assert.equal(page.messages.filter(({ t }) => t === 'state').length, 1)
})

test('pair stream: sends only what the filter selects', async () => {
  const { store, page, stream } = await setUp(undefined, 'response.status >= 500')
  add(store, 2)
  add(store, 1, 503)
  stream.tick()
  assert.deepEqual(
    page.rows.map(({ seq }) => seq),
    [2],
  )
})

test('pair stream: bounds the size of a batch', async () => {
  const { store, page, stream } = await setUp()
  add(store, 2500)
  stream.tick()
  assert.equal(page.rows.length, 1000)
  stream.tick()
  stream.tick()
  assert.equal(page.rows.length, 2500)
  assert.equal(page.skipped, 0)
})

test('pair stream: sends nothing to a slow page meanwhile, and then the number of pairs that it missed', async () => {
  const { store, page, stream } = await setUp({ pairs: 100, bytes: 1e9 })
  page.accepts = false
  for (let batch = 0; batch < 10; batch += 1) {
    add(store, 100)
    stream.tick()
  }
  assert.deepEqual(page.messages, [])
  page.accepts = true
  stream.tick()
  assert.deepEqual([page.rows.length, page.skipped], [100, 900])
})

test('pair stream: a page that reads nothing is disconnected after a while', async () => {
  const { page, clock, stream } = await setUp()
  stream.tick()
  page.accepts = false
  clock.ms = 14_000
  stream.tick()
  assert.equal(page.destroyed, false)
  clock.ms = 16_000
  stream.tick()
  assert.equal(page.destroyed, true)
})
