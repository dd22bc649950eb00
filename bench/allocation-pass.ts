/**
 * Measures what the parse stage allocates on the JavaScript heap, including garbage, with V8's sampling profiler.
 *
 *     node --expose-gc dist/bench/allocation-pass.js TRACE    one JSON line
 *
 * One pass precedes the measurement, so that what the compiler allocates is not attributed to frames.
 */
import { readFileSync } from 'node:fs'
import { type HeapProfiler, Session } from 'node:inspector/promises'
import { getHeapStatistics } from 'node:v8'
import { parsePass } from './parse-pass.ts'

/** Mean distance of samples. */
const SAMPLING_BYTES = 4096
const WARM_UP_PASSES = 2

/** Allocated bytes by function, largest first. */
function bySite(head: HeapProfiler.SamplingHeapProfileNode): { site: string; bytes: number }[] {
  const bytes = new Map<string, number>()
  const walk = ({ callFrame, selfSize, children }: HeapProfiler.SamplingHeapProfileNode): void => {
    const file = callFrame.url.split('/dist/').at(-1)
    const site = `${callFrame.functionName || '(anonymous)'} ${file === '' ? '' : `${file}:${callFrame.lineNumber + 1}`}`
    if (selfSize > 0) bytes.set(site, (bytes.get(site) ?? 0) + selfSize)
    children.forEach(walk)
  }
  walk(head)
  return [...bytes].map(([site, size]) => ({ site, bytes: size })).sort((a, b) => b.bytes - a.bytes)
}

const [path] = process.argv.slice(2)
const { gc } = globalThis
if (path === undefined || gc === undefined) throw new Error('usage: node --expose-gc allocation-pass TRACE')
const file = readFileSync(path)
for (let i = 0; i < WARM_UP_PASSES; i++) parsePass(file)
const live = (): number => {
  gc()
  return getHeapStatistics().used_heap_size
}
const session = new Session()
session.connect()
const before = live()
await session.post('HeapProfiler.startSampling', {
  samplingInterval: SAMPLING_BYTES,
  includeObjectsCollectedByMajorGC: true,
  includeObjectsCollectedByMinorGC: true,
})
const { frames, pairs } = parsePass(file)
const { profile } = await session.post('HeapProfiler.stopSampling')
const sites = bySite(profile.head)
session.disconnect()
process.stdout.write(
  `${JSON.stringify({
    frames,
    pairs,
    allocatedBytes: sites.reduce((sum, { bytes }) => sum + bytes, 0),
    keptBytes: live() - before,
    sites: sites.slice(0, 8),
  })}\n`,
)
