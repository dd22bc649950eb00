/** A shipper that writes pairs to this process's standard output: `node stdout-program.js COUNT BODY_BYTES`. */
import { ShipperRun } from './support.ts'

const [count, bodyBytes] = process.argv.slice(2).map(Number)
const formatOptions = { decode: false, color: false, width: null, verbose: false, version: '0' }
const run = new ShipperRun({ sink: { kind: 'stream', path: null, append: false, format: 'ndjson', formatOptions } })
for (let number = 0; number < count; number += 1) await run.put(number, { bodyBytes })
const last = await run.finish()
const { kept, dropped } = run
process.stderr.write(
  JSON.stringify({
    ended: run.messages.some(({ t }) => t === 'outputEnded'),
    shipped: run.counter('shipped'),
    dropped,
    kept,
    last: last.t,
  }),
)
