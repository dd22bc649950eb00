/** What a printer writes and counts as processed while its reader is slow or closes the output. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { PairFormat } from '../../src/format/output-format.ts'
import { FdOutput, type WriteResult } from '../../src/output/fd-output.ts'
import { packPair, readPair } from '../../src/pair/unpack.ts'
import { PairSelector } from '../../src/select/selector.ts'
import { Printer, type PrinterOptions } from '../../src/tail/printer.ts'
import { samplePair } from '../pair/samples.ts'
import { propertyRuns } from '../support/property-runs.ts'

/** An output whose reader is the test: for each flush, it reads, does not read, or closes the output. */
class Reader extends FdOutput {
  text = ''
  readonly #results: WriteResult[]
  #pending = ''

  /** @param results of the first flushes; after `closed` the output stays closed, otherwise the others succeed */
  constructor(results: readonly WriteResult[] = []) {
    super(-1)
    this.#results = [...results]
  }

  override write(data: string | Uint8Array): WriteResult {
    this.#pending += typeof data === 'string' ? data : Buffer.from(data).toString()
    return 'ok'
  }

  override flush(): WriteResult {
    const result = this.#results[0] === 'closed' ? 'closed' : (this.#results.shift() ?? 'ok')
    if (result === 'ok') {
      this.text += this.#pending
      this.#pending = ''
    }
    return result
  }
}

/** One letter for each pair, its target. */
const letters: PairFormat = {
  begin: () => '[',
  pair: (raw) => {
    const pair = readPair(raw)
    return pair instanceof Error ? pair : pair.request.target.slice(1)
  },
  end: () => ']',
}

const printerFor = (output: FdOutput, options: Partial<PrinterOptions> = {}): Printer =>
  new Printer({
    limit: null,
    selector: null,
    format: letters,
    output,
    signal: new AbortController().signal,
    ...options,
  })

const pairTo = (target: string): Uint8Array => packPair(samplePair({ request: { target } }))
const PAIRS = { a: pairTo('/a'), b: pairTo('/b') } as const
const FOREIGN = Buffer.from('text')

type Value = 'a' | 'b' | 'foreign' | 'nothing'
const bytesOf = (value: Value): Uint8Array | null => {
  if (value === 'nothing') return null
  return value === 'foreign' ? FOREIGN : PAIRS[value]
}

test('printer: model: writes selected pairs once, in order, up to the limit, and leaves the rest', async () => {
  const selector = await PairSelector.create({ grep: [], where: 'request.target == "/a"' })
  const values = fc.array(fc.constantFrom<Value>('a', 'a', 'b', 'foreign', 'nothing'), { maxLength: 12 })
  const limits = fc.option(fc.integer({ min: 1, max: 6 }))
  await fc.assert(
    fc.asyncProperty(fc.array(values, { maxLength: 4 }), limits, fc.boolean(), async (calls, limit, selects) => {
      const reader = new Reader()
      const printer = printerFor(reader, { limit, selector: selects ? selector : null })
      printer.begin()
      let model = ''
      let foreign = 0
      for (const call of calls) {
        let processed = 0
        for (const value of call) {
          if (limit !== null && model.length >= limit) break
          processed += 1
          if (value === 'foreign' || value === 'nothing') foreign += 1
          else if (!selects || value === 'a') model += value
        }
        assert.equal(await printer.print(call.map(bytesOf)), processed)
        assert.equal(reader.text, `[${model}`)
        assert.equal(printer.done, limit !== null && model.length >= limit)
      }
      await printer.end()
      assert.equal(reader.text, `[${model}]`)
      assert.deepEqual(printer.result, { pairs: model.length, foreign })
    }),
    { numRuns: propertyRuns(400) },
  )
})

test('printer: waits for a slow reader until the command is aborted', async () => {
  const slow = new Reader(['later', 'later'])
  const printer = printerFor(slow)
  printer.begin()
  assert.equal(await printer.print([PAIRS.a]), 1)
  assert.equal(slow.text, '[a')
  const never = new Reader(Array.from({ length: 1000 }, () => 'later' as const))
  const aborted = printerFor(never, { signal: AbortSignal.abort() })
  aborted.begin()
  assert.equal(await aborted.print([PAIRS.a, PAIRS.b]), 2)
  assert.equal(never.text, '')
})

test('printer: once the reader has closed the output, nothing counts as processed', async () => {
  const closed = new Reader(['ok', 'closed'])
  const printer = printerFor(closed)
  printer.begin()
  assert.equal(await printer.print([PAIRS.a]), 1)
  assert.equal(await printer.print([PAIRS.b]), 0)
  assert.equal(printer.done, true)
  assert.equal(await printer.print([PAIRS.a]), 0)
  await printer.end()
  assert.deepEqual([closed.text, printer.result.pairs], ['[a', 2])
})

test('printer: reports why an output cannot be written', async () => {
  const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' })
  const printer = printerFor(new Reader([full]))
  printer.begin()
  await assert.rejects(printer.print([PAIRS.a]), { name: 'InterceptorError', message: /^cannot write the output: / })
})

test('printer: lets a format that writes without pairs do so until the end', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const reader = new Reader()
  const printer = printerFor(reader, { format: { ...letters, tick: () => '.' } })
  printer.begin()
  t.mock.timers.tick(300)
  await printer.end()
  t.mock.timers.tick(300)
  assert.equal(reader.text, '[...]')
})
