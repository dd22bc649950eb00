/** Lines of consecutive pairs, against a model of their columns. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import pc from 'picocolors'
import { PairLine } from '../../src/format/pair-line.ts'
import { columns } from '../../src/format/terminal.ts'
import type { Pair } from '../../src/pair/pair.ts'
import { anyPair, samplePair } from '../pair/samples.ts'
import { propertyRuns } from '../support/property-runs.ts'

const PLAIN = pc.createColors(false)
/** Widths of the columns before the method: time, client with its arrow, server. */
const FIRST_WIDTHS = [12, 17, 15]
const GAP = 2

const host = fc.constantFrom('10.0.0.5', '192.168.100.200', '2001:db8::1234:5678', '::1')
const port = fc.integer({ min: 1, max: 65535 })
const ends = fc.record({
  client: fc.record({ address: host, port, pod: fc.constant(null) }),
  server: fc.record({ address: host, port, pod: fc.constant(null) }),
})

const endpointText = ({ address, port }: Pair['client']): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`

test('PairLine: without a limit each column begins behind the widest texts so far', () => {
  fc.assert(
    fc.property(fc.array(ends, { minLength: 1, maxLength: 8 }), (all) => {
      const lines = new PairLine(PLAIN, null)
      const [time, ...widths] = FIRST_WIDTHS
      for (const one of all) {
        const [client, server] = [endpointText(one.client), endpointText(one.server)]
        widths[0] = Math.max(widths[0], client.length + ' →'.length)
        widths[1] = Math.max(widths[1], server.length)
        const line = lines.format(samplePair(one))
        const clientAt = time + GAP
        const serverAt = clientAt + widths[0] + GAP
        const methodAt = serverAt + widths[1] + GAP
        assert.equal(line.slice(clientAt, serverAt - GAP), `${client.padEnd(widths[0] - 2)} →`)
        assert.equal(line.slice(serverAt, methodAt).trimEnd(), server)
        assert.equal(line.slice(methodAt, methodAt + 'POST'.length), 'POST')
      }
    }),
    { numRuns: propertyRuns(400) },
  )
})

test('PairLine: no line is wider than the terminal, and the target has 20 columns while other columns can be left out', () => {
  fc.assert(
    fc.property(
      fc.array(anyPair, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 30, max: 200 }),
      (pairs, width) => {
        const lines = new PairLine(PLAIN, width)
        for (const pair of pairs) {
          const line = lines.format({ ...pair, request: { ...pair.request, target: `/${'x'.repeat(300)}` } })
          assert.ok(columns(line) <= width, `${columns(line)} columns of ${width}: ${line}`)
          assert.ok((/\/x+/.exec(line)?.[0].length ?? 0) >= 19, line)
          assert.doesNotMatch(line, /\p{Cc}/u)
        }
      },
    ),
    { numRuns: propertyRuns(400) },
  )
})

test('PairLine: narrower terminals leave out more columns, but never the status', () => {
  const pair = samplePair({ flags: ['midstream'], request: { target: `/${'x'.repeat(300)}` } })
  const marks = {
    types: 'json → json',
    sizes: '7 →   11',
    client: '10.0.0.5',
    latency: '554µs',
    flags: 'midstream',
    server: '10.0.0.9',
    method: 'POST',
  }
  let shown = Object.keys(marks).length
  let targetWidth = 0
  for (let width = 200; width >= 26; width--) {
    const line = new PairLine(PLAIN, width).format(pair)
    const now = Object.values(marks).map((mark) => line.includes(mark))
    // Columns are ordered by when they are left out: all after the first shown one are shown.
    assert.deepEqual(now, [...now].sort(), `${width}: ${line}`)
    const count = now.filter(Boolean).length
    assert.ok(count === shown || count === shown - 1, `${width} columns: ${line}`)
    if (count < shown) assert.equal(targetWidth, 20, `${width + 1} columns left the target ${targetWidth}`)
    targetWidth = columns(/\/x+…?/.exec(line)?.[0] ?? '')
    shown = count
    assert.match(line, / 200\b/)
  }
  assert.equal(shown, 0)
})

test('PairLine: colours change neither texts nor positions, and show the class of the status', () => {
  const colors = pc.createColors(true)
  const painted = new PairLine(colors, 120)
  const plain = new PairLine(PLAIN, 120)
  for (const [status, paint] of [
    [200, colors.green],
    [304, colors.cyan],
    [404, colors.yellow],
    [500, colors.red],
  ] as const) {
    const pair = samplePair({ response: { status } })
    const line = painted.format(pair)
    assert.equal(stripVTControlCharacters(line), plain.format(pair))
    assert.ok(line.includes(paint(String(status))), line)
  }
})
