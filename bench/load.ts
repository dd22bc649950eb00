/**
 * `npm run load`: offers traffic at rising rates to `capture` on a veth pair, and to `tcpdump -w /dev/null` to compare
 * with, prints a table, and draws it. Ends by itself after rates × (3 × seconds + some twenty).
 */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { commandLine, positive, wholeNumber } from '../rig/command-line.ts'
import { limitCpu } from './cpu-quota.ts'
import { buildGoPeer, GO_PEER_SOURCE } from './go-peer.ts'
import { lineChart } from './line-chart.ts'
import { liveMissing } from './live.ts'
import { LiveRun } from './live-run.ts'
import { goCoverage, tcpdumpDrops } from './load-references.ts'
import {
  figuresOf,
  type LoadCounts,
  type LoadFigures,
  readSamples,
  recoverySeconds,
  SETTLED_MS,
} from './load-series.ts'
import { script } from './programs.ts'
import { describeMachine, figure, machineText, type Section, sectionText, whole } from './report.ts'
import { makeTrace, type Trace } from './traces.ts'
import { VethPair } from './veth.ts'

const HELP = `Usage: npm run load -- [options]

Offers traffic at rising rates and prints what was captured of it at each.

  --rates LIST     frames per second, separated by commas; top: as fast as the sender can
                   (default 25000,50000,100000,200000,400000,top)
  --seconds N      how long each rate is offered (default 5)
  --workers N      assemblers (default 1)
  --pairs N        pairs of the trace, which is repeated (default 50000)
  --cpu PERCENT    of one core that the program may use: overload begins earlier (needs cgroups)
  --set KEY=VALUE  a setting of the program, such as limits.cpu=0.25; may be repeated
  --agent-priority lower the program's priority as the agent does; capture, which this runs otherwise, keeps its own
  --start-ms N     from the socket's opening to the load (default 1000)
  --series FILE    append what the program counted, ten times a second, as JSON lines
  --no-peers       measure neither tcpdump nor the Go program
  --svg FILE       draw the figures there
  --go-peer DIR    where the Go program to compare with has its source
  --help

Needs Linux, root, iproute2, ethtool and tcpreplay; tcpdump and the Go program, which reads from tcpdump, are measured
where they are installed.
`

/** What follows a load under which connections were shed. */
const RECOVERY_SECONDS = 5
const TRICKLE_RATE = 2000
const PROBE_PAIRS = 1000
/** A frame has been read from the kernel's open block by then (af-packet/source.ts), and sampled. */
const READ_MS = 1000
const NOT_SHED = { recoverySeconds: null, coverageAfter: null }

interface LoadOptions {
  /** Frames per second; null: as fast as the sender can. */
  rates: readonly (number | null)[]
  seconds: number
  workers: number
  pairs: number
  /** Percent of one core; null: no limit. */
  cpu: number | null
  set: readonly string[]
  /** Whether the program has the priority that the agent gives itself. */
  agentPriority: boolean
  startMs: number
  /** File for the counts over time. */
  series: string | null
  /** Whether other programs are measured too. */
  peers: boolean
  svg: string | null
  /** Folder of the Go program's source. */
  goPeer: string
}

/** One rate. */
interface LoadSample extends LoadFigures {
  rssMiB: number
  /** Seconds from the load's end until all connections are kept, while a little traffic goes on; null: none were shed then. */
  recoverySeconds: number | null
  /** The share that is found of the pairs of connections that begin RECOVERY_SECONDS after the load; null as above. */
  coverageAfter: number | null
  /** Frames that tcpdump's kernel ring dropped; null: not measured. */
  tcpdumpDrops: number | null
  /** The share of the pairs' responses that the Go program finds; null: not measured. */
  goCoverage: number | null
}

/** @throws Error naming the argument that is wrong */
function readOptions(args: string[]): LoadOptions {
  const { values } = parseArgs({
    args,
    options: {
      rates: { type: 'string', default: '25000,50000,100000,200000,400000,top' },
      seconds: { type: 'string', default: '5' },
      workers: { type: 'string', default: '1' },
      pairs: { type: 'string', default: '50000' },
      cpu: { type: 'string' },
      set: { type: 'string', multiple: true, default: [] },
      'agent-priority': { type: 'boolean', default: false },
      'start-ms': { type: 'string', default: '1000' },
      series: { type: 'string' },
      'no-peers': { type: 'boolean', default: false },
      svg: { type: 'string' },
      'go-peer': { type: 'string', default: GO_PEER_SOURCE },
    },
  })
  return {
    rates: values.rates.split(',').map((rate) => (rate === 'top' ? null : positive('--rates', rate))),
    seconds: positive('--seconds', values.seconds),
    workers: positive('--workers', values.workers),
    pairs: positive('--pairs', values.pairs),
    cpu: values.cpu === undefined ? null : positive('--cpu', values.cpu),
    set: values.set,
    agentPriority: values['agent-priority'],
    startMs: wholeNumber('--start-ms', values['start-ms']),
    series: values.series ?? null,
    peers: !values['no-peers'],
    svg: values.svg ?? null,
    goPeer: values['go-peer'],
  }
}

/** Arguments of tcpreplay for one rate. */
function replayArguments(trace: Trace, rate: number | null, seconds: number): string[] {
  const speed = rate === null ? ['--topspeed'] : [`--pps=${rate}`]
  return [...speed, '--preload-pcap', '--loop=0', `--duration=${seconds}`, trace.path]
}

/** Frames in a trace that `makeTrace` has written. */
function countFrames({ path }: Trace): number {
  const bytes = readFileSync(path)
  let frames = 0
  for (let at = 24; at < bytes.length; at += 16 + bytes.readUInt32LE(at + 8)) frames += 1
  return frames
}

/** @param goPeer path of the Go program; null: it could not be built */
async function offer(
  trace: Trace,
  rate: number | null,
  options: LoadOptions,
  goPeer: string | null,
): Promise<LoadSample> {
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-load-'))
  const veth = new VethPair()
  try {
    const replay = replayArguments(trace, rate, options.seconds)
    const pairsPerFrame = trace.pairs! / countFrames(trace)
    return {
      ...(await capture(veth, replay, pairsPerFrame, options, join(folder, 'samples'))),
      tcpdumpDrops: options.peers ? await tcpdumpDrops(veth, replay) : null,
      goCoverage: options.peers ? await goCoverage(veth, replay, goPeer, pairsPerFrame, folder) : null,
    }
  } finally {
    veth.delete()
    rmSync(folder, { recursive: true })
  }
}

async function capture(
  veth: VethPair,
  replay: readonly string[],
  pairsPerFrame: number,
  options: LoadOptions,
  file: string,
): Promise<Omit<LoadSample, 'tcpdumpDrops' | 'goCoverage'>> {
  const settings = [`assemble.workers=${options.workers}`, ...options.set]
  const priority = options.agentPriority ? ['--agent-priority'] : []
  const program = [script('sampled-capture'), ...priority, file, ...settings]
  const run = await LiveRun.startProgram(veth, program, 0)
  const unlimit = options.cpu === null ? null : limitCpu(run.pid, options.cpu)
  await sleep(options.startMs)
  const sent = await veth.replay(replay)
  const endMs = Date.now()
  const { rssMiB } = run
  const now = (): LoadCounts => readSamples(readFileSync(file, 'utf8')).at(-1)!
  const recovery = now().kept < 1 ? await recover(veth, run, now, file, endMs) : NOT_SHED
  await run.settle()
  await run.stop()
  unlimit?.()
  const samples = readSamples(readFileSync(file, 'utf8'))
  if (options.series !== null) appendFileSync(options.series, samples.map((one) => `${JSON.stringify(one)}\n`).join(''))
  return { ...figuresOf(samples, sent, endMs, pairsPerFrame), rssMiB, ...recovery }
}

/**
 * After an overload: sends a trickle for RECOVERY_SECONDS, and then PROBE_PAIRS once.
 *
 * @param now reads what the program has counted @param endMs when the load ended
 */
async function recover(
  veth: VethPair,
  run: LiveRun,
  now: () => LoadCounts,
  file: string,
  endMs: number,
): Promise<Pick<LoadSample, 'recoverySeconds' | 'coverageAfter'>> {
  const probe = makeTrace('api', PROBE_PAIRS)
  await veth.replay(replayArguments(probe, TRICKLE_RATE, RECOVERY_SECONDS))
  await sleep(READ_MS)
  const { pairs } = now()
  await veth.replay(['--pps', String(TRICKLE_RATE), '--preload-pcap', probe.path])
  await sleep(READ_MS)
  await run.settle()
  return {
    recoverySeconds: recoverySeconds(readSamples(readFileSync(file, 'utf8')), endMs),
    coverageAfter: (now().pairs - pairs) / PROBE_PAIRS,
  }
}

const percent = (share: number): string => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 2 : 1)} %`

const percentOrNone = (share: number | null): string => (share === null ? '–' : percent(share))

function section(samples: readonly LoadSample[], { workers, cpu, set }: LoadOptions): Section {
  const peak = Math.max(...samples.map(({ pairsPerSecond }) => pairsPerSecond))
  const limit = [cpu === null ? '' : `, at most ${cpu} % of a core`, ...set.map((setting) => `, ${setting}`)].join('')
  return {
    title: `Load: one interface, ${workers} ${workers === 1 ? 'assembler' : 'assemblers'}${limit}`,
    columns: [
      'frames/s',
      'pairs/s',
      'of peak',
      'coverage',
      'kernel drops',
      'first second',
      'settled',
      'shed in kernel',
      'shed',
      'ring drops',
      'cores',
      'worst second',
      'RSS',
      'all kept after',
      'coverage then',
      'tcpdump drops',
      'Go coverage',
    ],
    rows: samples.map((sample) => [
      whole(sample.framesPerSecond),
      whole(sample.pairsPerSecond),
      percent(sample.pairsPerSecond / peak),
      percent(sample.coverage),
      percent(sample.kernelDrops),
      percent(sample.earlyDrops),
      percent(sample.settledDrops),
      percent(sample.kernelShed),
      percent(sample.shed),
      percent(sample.ringDrops),
      figure(sample.cores),
      figure(sample.mostCores),
      `${whole(sample.rssMiB)} MiB`,
      sample.recoverySeconds === null ? '–' : `${sample.recoverySeconds.toFixed(1)} s`,
      percentOrNone(sample.coverageAfter),
      percentOrNone(sample.tcpdumpDrops),
      percentOrNone(sample.goCoverage),
    ]),
    notes: [
      'Go: gopacket, tcpassembly and net/http on what tcpdump captures with a ring of 8 MiB; it neither pairs nor writes',
      `pairs/s and settled: from ${SETTLED_MS / 1000} s of the load on; first second, settled: kernel drops of that time`,
      'coverage then: of the pairs of connections that begin 5 s after the load',
      'Shares are of the frames that tcpreplay sent; sender and program share the machine’s CPUs.',
    ],
    data: samples,
  }
}

function draw(samples: readonly LoadSample[], file: string): void {
  const x = samples.map(({ framesPerSecond }) => framesPerSecond)
  const over = (pick: (sample: LoadSample) => number): number[] => samples.map(pick)
  const panels = [
    { title: 'pairs/s', lines: [{ name: 'assembled', values: over((s) => s.pairsPerSecond) }] },
    {
      title: 'frames lost, %',
      lines: [
        { name: 'kernel drops', values: over((s) => 100 * s.kernelDrops) },
        { name: 'shed and ring drops', values: over((s) => 100 * (s.kernelShed + s.shed + s.ringDrops)) },
        { name: 'tcpdump', values: over((s) => 100 * (s.tcpdumpDrops ?? 0)) },
      ],
    },
    { title: 'CPU, cores', lines: [{ name: 'whole program', values: over((s) => s.cores) }] },
    { title: 'memory, MiB', lines: [{ name: 'resident', values: over((s) => s.rssMiB) }] },
  ]
  writeFileSync(file, lineChart({ xTitle: 'frames per second offered', x, panels }))
}

async function run(options: LoadOptions): Promise<void> {
  const missing = liveMissing('load')
  if (missing !== null) {
    process.stderr.write(`load cannot be measured here: ${missing.why}\n`)
    process.exitCode = 1
    return
  }
  process.stdout.write(machineText(describeMachine()))
  const trace = makeTrace('api', options.pairs)
  const samples: LoadSample[] = []
  const peer = buildGoPeer(options.goPeer)
  const goPeer = typeof peer === 'string' ? peer : null
  if (typeof peer !== 'string') process.stdout.write(`Not measured: ${peer.what}: ${peer.why}\n`)
  for (const rate of options.rates) samples.push(await offer(trace, rate, options, goPeer))
  process.stdout.write(sectionText(section(samples, options)))
  if (options.svg !== null) draw(samples, options.svg)
}

await run(commandLine(HELP, process.argv.slice(2), readOptions))
