/** Shows whether the parse stage allocates by frame: the same traffic at two lengths, under the heap profiler. */
import { runProgram } from './measure.ts'
import { script } from './programs.ts'
import { figure, type Section, whole } from './report.ts'
import { makeTrace } from './traces.ts'

/** How much longer the second trace is. */
const FACTOR = 4

interface Allocation {
  frames: number
  pairs: number
  allocatedBytes: number
  keptBytes: number
  sites: { site: string; bytes: number }[]
}

/** @param pairs pairs of the shorter trace */
export async function measureAllocation(pairs: number): Promise<Section> {
  const results: Allocation[] = []
  for (const size of [pairs, pairs * FACTOR]) {
    const command = [process.execPath, '--expose-gc', script('allocation-pass'), makeTrace('api', size).path] as const
    results.push(JSON.parse((await runProgram(command)).stdout) as Allocation)
  }
  const [short, long] = results as [Allocation, Allocation]
  const grown = (long.allocatedBytes - short.allocatedBytes) / (long.frames - short.frames)
  return {
    title: 'Allocation: JavaScript heap, parse stage, api',
    columns: ['frames', 'allocated in a pass', 'a frame', 'kept after it'],
    rows: results.map(({ frames, allocatedBytes, keptBytes }) => [
      whole(frames),
      `${whole(allocatedBytes / 1024)} KiB`,
      `${figure(allocatedBytes / frames)} B`,
      `${whole(keptBytes / 1024)} KiB`,
    ]),
    notes: [
      `${figure(grown)} bytes for each further frame; the longer trace by place:`,
      ...long.sites.map(({ site, bytes }) => `  ${`${whole(bytes / 1024)} KiB`.padStart(12)}  ${site}`),
    ],
    data: { results, bytesPerFurtherFrame: grown },
  }
}
