/**
 * The costs of some kinds of traffic in the parse stage, with goals: ratios of CPU time, which change little on a busy
 * machine.
 */
import type { CostKind } from './cost-kinds.ts'
import { runProgram } from './measure.ts'
import type { ParsePass } from './parse-pass.ts'
import { script } from './programs.ts'
import { figure, type Section, whole } from './report.ts'
import { makeTrace } from './traces.ts'

const COLD_PAIRS = 20_000
/** The chart's heap of the main thread. */
const HEAP = '--max-old-space-size=102'

interface Row {
  what: string
  measured: number
  goal: number
  unit: string
  more: string
}

async function costs<K extends CostKind>(rounds: number, ...kinds: readonly K[]): Promise<Record<K, ParsePass>> {
  const { stdout } = await runProgram([process.execPath, script('cost-pass'), String(rounds), ...kinds])
  return JSON.parse(stdout) as Record<K, ParsePass>
}

const nanosPerFrame = ({ cpuMs, frames }: ParsePass): number => (cpuMs * 1e6) / frames
const microsPerPair = ({ cpuMs, pairs }: ParsePass): number => (cpuMs * 1000) / pairs

async function idleRow(): Promise<Row> {
  const { peakRssMiB } = await runProgram([process.execPath, HEAP, script('cost-pass'), '1', 'idle'])
  return { what: '1,000,000 idle connections', measured: peakRssMiB, goal: 256, unit: 'MiB', more: `with ${HEAP}` }
}

async function connectionsRow(rounds: number): Promise<Row> {
  const { few, many } = await costs(rounds, 'few', 'many')
  const [one, other] = [few, many].map((pass) => whole(nanosPerFrame(pass)))
  const measured = nanosPerFrame(many) / nanosPerFrame(few)
  return {
    what: 'a frame at 200,000 connections, of one at 200',
    measured,
    goal: 1.5,
    unit: '×',
    more: `${other} and ${one} ns`,
  }
}

async function trafficRows(rounds: number): Promise<Row[]> {
  const { kept, reordered, byRequest, byResponse } = await costs(rounds, 'kept', 'reordered', 'byRequest', 'byResponse')
  const pair = microsPerPair(kept)
  const of = (pass: ParsePass): { measured: number; more: string } => ({
    measured: microsPerPair(pass) / pair,
    more: `${figure(microsPerPair(pass))} and ${figure(pair)} µs a pair`,
  })
  return [
    { what: 'api, 10 % of the frames reordered, of none', goal: 1.3, unit: '×', ...of(reordered) },
    { what: 'a pair filtered by its request, of a kept one', goal: 0.4, unit: '×', ...of(byRequest) },
    { what: 'a pair filtered by its response, of a kept one', goal: 0.4, unit: '×', ...of(byResponse) },
  ]
}

/** What the program itself costs: reading the file is the kernel's. */
async function tlsRows(rounds: number): Promise<Row[]> {
  const { tls, tlsLive } = await costs(rounds, 'tls', 'tlsLive')
  const ofFrame = (cpuMs: number): number => (cpuMs * 1e6) / tls.frames
  return [
    {
      what: 'a frame of a TLS download in a file',
      measured: ofFrame(tls.cpuMs - tls.readCpuMs),
      goal: 60,
      unit: 'ns',
      more: `${whole(ofFrame(tls.assemblerCpuMs))} of them in the assembler, and ${whole(ofFrame(tls.readCpuMs))} to read it`,
    },
    {
      what: 'the same captured live, in the assembler',
      measured: ofFrame(tlsLive.assemblerCpuMs),
      goal: 60,
      unit: 'ns',
      more: 'its headers alone are in the ring',
    },
  ]
}

async function coldRow(rounds: number): Promise<Row> {
  const { path } = makeTrace('api', COLD_PAIRS)
  const seconds: number[] = []
  for (let round = 0; round < rounds; round++) {
    const { stdout } = await runProgram([process.execPath, script('parse-stage'), path, '1'])
    const { cpuNanosPerPair, pairs } = JSON.parse(stdout) as { cpuNanosPerPair: number; pairs: number }
    seconds.push((cpuNanosPerPair * pairs) / 1e9)
  }
  const more = `best of ${rounds} new processes, without their start`
  return { what: 'the first 20,000 api pairs, cold', measured: Math.min(...seconds), goal: 0.15, unit: 's', more }
}

/** @param rounds of each measurement; the best counts */
export async function measureCosts(rounds: number): Promise<Section> {
  const rows = [
    await idleRow(),
    await connectionsRow(rounds),
    ...(await trafficRows(rounds)),
    ...(await tlsRows(rounds)),
    await coldRow(rounds),
  ]
  return {
    title: 'Costs: CPU time of the parse stage on one core, and memory',
    columns: ['', 'measured', 'goal', '', ''],
    rows: rows.map(({ what, measured, goal, unit, more }) => [
      what,
      `${figure(measured)} ${unit}`,
      `≤ ${goal} ${unit}`,
      measured <= goal ? '' : 'missed',
      more,
    ]),
    notes: [],
    data: { rows },
    ratios: Object.fromEntries(
      rows
        .filter(({ unit }) => unit === '×')
        .map(({ what, measured }) => [`costs: ${what}`, Number((1 / measured).toPrecision(3))]),
    ),
  }
}
