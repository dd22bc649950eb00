import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Flow, type Stream } from '../../../src/assemble/tcp/flow.ts'
import { fitsRecord, loadFlow, RECORD_WORDS, saveFlow, slotOf } from '../../../src/assemble/tcp/flow-record.ts'

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const stream = fc.record({
  nextSeq: word,
  firstSeq: word,
  finSeq: word,
  acked: word,
  reached: word,
  captured: fc.boolean(),
  known: fc.boolean(),
  synSeen: fc.boolean(),
  finSeen: fc.boolean(),
  ended: fc.boolean(),
  ackedKnown: fc.boolean(),
})
const direction = fc.constantFrom(0 as const, 1 as const)
const flow = fc.record({
  hash: word,
  serial: word,
  interfaceId: fc.nat(2 ** 31 - 1),
  state: fc.nat(1),
  closedBy: fc.nat(6),
  resetDirection: direction,
  protocol: fc.nat(3),
  clientDirection: fc.constantFrom(-1 as const, 0 as const, 1 as const),
  midstream: fc.boolean(),
  resumed: fc.boolean(),
  signed: fc.boolean(),
  lossy: fc.boolean(),
  vantage: fc.nat(4),
  hostPending: fc.boolean(),
  rule: fc.nat(9),
  hopLimitPending: fc.boolean(),
  tunnel: fc.nat(2),
})

describe('flow record', () => {
  test('a connection at rest is the same after it was a record', () => {
    fc.assert(
      fc.property(flow, stream, stream, (fields, a, b) => {
        const saved = Object.assign(new Flow(0), fields)
        Object.assign(saved.streams[0], a)
        Object.assign(saved.streams[1], b)
        saved.assign(1)
        assert.ok(fitsRecord(saved))
        const words = new Int32Array(3 * RECORD_WORDS).fill(-1)
        saveFlow(saved, words, RECORD_WORDS)
        assert.ok(slotOf(words, RECORD_WORDS) < 0)
        const loaded = new Flow(0)
        loaded.assign(1)
        loadFlow(loaded, words, RECORD_WORDS)
        saved.recent = true
        assert.deepEqual(loaded, saved)
        assert.ok(words.subarray(0, RECORD_WORDS).every((each) => each === -1))
        assert.ok(words.subarray(2 * RECORD_WORDS).every((each) => each === -1))
      }),
    )
  })

  test('what no record has room for does not fit, unless the connection is closed', () => {
    const busy: Partial<Stream>[] = [
      { held: 1 },
      { suspected: true },
      { otherSynSeen: true },
      { furtherFinSeen: true },
      { resetSeen: true },
      { urgentSeen: true },
      { urgentRemoved: true },
    ]
    for (const one of busy) {
      const open = new Flow(0)
      Object.assign(open.streams[1], one)
      assert.ok(!fitsRecord(open), Object.keys(one).join())
    }
    const addressed = new Flow(0)
    addressed.proxied = new Uint8Array(4)
    assert.ok(!fitsRecord(addressed))
    addressed.state = 1
    assert.ok(fitsRecord(addressed))
  })
})
