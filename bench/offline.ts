/**
 * Reads one capture file with every contender in turn: our parse stage, our whole program, Go, and tshark. Rounds
 * alternate, so that a disturbance of the machine affects all of them.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PROGRAM } from '../rig/root.ts'
import { ratiosOf } from './baseline.ts'
import { buildGoPeer } from './go-peer.ts'
import { type Cost, runProgram } from './measure.ts'
import { inPath, script } from './programs.ts'
import { figure, type Missing, type Section, spreadText, whole } from './report.ts'
import { spread } from './statistics.ts'
import type { Trace } from './traces.ts'

interface Sample extends Cost {
  /** Pairs it found; for the others' programs responses, which they do not pair. */
  pairs: number
}

interface Contender {
  name: string
  run(trace: Trace): Promise<Sample>
  /** Maximum number of rounds. */
  rounds: number
}

export interface OfflineOptions {
  rounds: number
  /** Passes of the parse stage in one process; the median counts. */
  passes: number
  goPeer: string
}

const PARSE_STAGE = 'parse stage, one core'
const REFERENCES = /^(?:Go|tshark)/

async function parseStage(trace: Trace, passes: number): Promise<Sample> {
  const { stdout, peakRssMiB } = await runProgram([process.execPath, script('parse-stage'), trace.path, String(passes)])
  const result = JSON.parse(stdout) as { pairs: number; nanosPerPair: number; cpuNanosPerPair: number }
  const ms = (nanos: number): number => (nanos * result.pairs) / 1e6
  return {
    pairs: result.pairs,
    wallMs: ms(result.nanosPerPair),
    cpuMs: ms(result.cpuNanosPerPair),
    peakRssMiB,
  }
}

/** @param selection options that select pairs */
async function readRun(trace: Trace, format: string, selection: readonly string[] = []): Promise<Sample> {
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-bench-'))
  try {
    const summary = join(folder, 'summary.json')
    const output = format === 'none' ? [] : ['-w', '/dev/null']
    const args = [
      'read',
      '--all',
      '-q',
      '-o',
      format,
      ...output,
      ...selection,
      '--summary',
      summary,
      trace.path,
    ] as const
    const cost = await runProgram([process.execPath, PROGRAM, ...args])
    const { pairs } = JSON.parse(readFileSync(summary, 'utf8')) as { pairs: { shipped: number } }
    return { ...cost, pairs: pairs.shipped }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function goRun(program: string, trace: Trace): Promise<Sample> {
  const { stdout, ...cost } = await runProgram([program, trace.path, 'http'], { env: { ONE: '1' } })
  const [, requests, responses] = /req (\d+) res (\d+)/.exec(stdout) ?? []
  return { ...cost, pairs: Math.min(Number(requests), Number(responses)) }
}

async function tsharkRun(trace: Trace): Promise<Sample> {
  const fields = ['-T', 'fields', '-e', 'http.request.uri', '-e', 'http.response.code']
  const { stdout, ...cost } = await runProgram(['tshark', '-r', trace.path, '-Y', 'http', ...fields])
  // A frame a line; several messages of one frame are separated by commas.
  const codes = stdout.split('\n').map((line) => line.split('\t')[1] ?? '')
  const pairs = codes.reduce((sum, code) => sum + (code === '' ? 0 : code.split(',').length), 0)
  return { ...cost, pairs }
}

function contenders({ rounds, passes, goPeer }: OfflineOptions): { present: Contender[]; missing: Missing[] } {
  const present: Contender[] = [
    { name: PARSE_STAGE, run: (trace) => parseStage(trace, passes), rounds },
    { name: 'read -o none', run: (trace) => readRun(trace, 'none'), rounds },
    { name: 'read -o none --path', run: (trace) => readRun(trace, 'none', ['--path', '/**']), rounds },
    { name: 'read -o none --grep', run: (trace) => readRun(trace, 'none', ['--grep', 'Content-Type']), rounds },
    {
      name: 'read -o none --where',
      run: (trace) => readRun(trace, 'none', ['--where', 'response.status > 0']),
      rounds,
    },
    { name: 'read -o ndjson', run: (trace) => readRun(trace, 'ndjson'), rounds },
  ]
  const missing: Missing[] = []
  const peer = buildGoPeer(goPeer)
  if (typeof peer !== 'string') missing.push(peer)
  else present.push({ name: 'Go: gopacket, net/http', run: (trace) => goRun(peer, trace), rounds })
  // About fifty times slower than the others: two rounds are enough.
  if (inPath('tshark')) present.push({ name: 'tshark', run: tsharkRun, rounds: Math.min(2, rounds) })
  else missing.push({ what: 'tshark', why: 'install tshark' })
  return { present, missing }
}

/** Measures every contender over one trace. */
export async function measureOffline(trace: Trace, options: OfflineOptions): Promise<(Section | Missing)[]> {
  const { present, missing } = contenders(options)
  const samples = new Map(present.map(({ name }) => [name, [] as Sample[]]))
  for (let round = 0; round < options.rounds; round++) {
    for (const contender of present) {
      if (round < contender.rounds) samples.get(contender.name)!.push(await contender.run(trace))
    }
  }
  return [offlineSection(trace, samples), ...missing]
}

/** Medians and ranges over a contender's samples. */
function summarize(samples: readonly Sample[]) {
  const perSecond = (ms: (sample: Sample) => number) =>
    spread(samples.map((sample) => (sample.pairs / ms(sample)) * 1000))
  return {
    pairs: spread(samples.map(({ pairs }) => pairs)),
    pairsPerSecond: perSecond(({ wallMs }) => wallMs),
    cpuMicrosPerPair: spread(samples.map(({ pairs, cpuMs }) => (cpuMs * 1000) / pairs)),
    wallMs: spread(samples.map(({ wallMs }) => wallMs)),
    cpuMs: spread(samples.map(({ cpuMs }) => cpuMs)),
    peakRssMiB: Math.max(...samples.map(({ peakRssMiB }) => peakRssMiB)),
  }
}

function offlineSection(trace: Trace, samples: ReadonlyMap<string, readonly Sample[]>): Section {
  const results = [...samples].map(([name, taken]) => ({ name, rounds: taken.length, ...summarize(taken) }))
  const parse = results.find(({ name }) => name === PARSE_STAGE)!
  const rows = results.map((result) => {
    // By CPU time, which other processes disturb least; no contender but `read` has more than one busy thread.
    const ratio = result.cpuMicrosPerPair.median / parse.cpuMicrosPerPair.median
    return [
      result.name,
      whole(result.pairs.median),
      spreadText(result.pairsPerSecond),
      spreadText(result.cpuMicrosPerPair, figure),
      `${figure(parse.pairsPerSecond.median / result.pairsPerSecond.median)} ×`,
      `${figure(ratio)} ×`,
      `${result.peakRssMiB} MiB`,
    ]
  })
  const sent = trace.pairs === null ? '' : `, ${whole(trace.pairs)} pairs`
  return {
    title: `Capture file: ${trace.name}${sent}, ${whole(trace.bytes / 2 ** 20)} MiB`,
    columns: ['', 'pairs found', 'pairs/s', 'CPU µs/pair', 'slower: wall', 'CPU', 'peak RSS'],
    rows,
    notes: ['median (min–max) of the rounds; how many times slower than the parse stage, by wall and by CPU time'],
    data: { trace: { ...trace, path: undefined }, results },
    ratios: ratiosOf(
      trace.name,
      Object.fromEntries(results.map(({ name, cpuMicrosPerPair }) => [name, cpuMicrosPerPair.median])),
      REFERENCES,
    ),
  }
}
