/**
 * `npm run load`: offers traffic at rising rates to `capture` on a veth pair, and to `tcpdump -w /dev/null` to compare
 * with, prints a table, and draws it. Ends by itself after rates × (2 × seconds + a few).
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { limitCpu } from './cpu-quota.ts'
import { buildGoPeer, GO_PEER_SOURCE } from './go-peer.ts'
import { lineChart } from './line-chart.ts'
import { liveMissing } from './live.ts'
import { LiveRun } from './live-run.ts'
import { goCoverage, tcpdumpDrops } from './load-references.ts'
import { positive } from './options.ts'
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
  --svg FILE       draw the figures there
  --go-peer DIR    where the Go program to compare with has its source
  --help

Needs Linux, root, iproute2, ethtool and tcpreplay; tcpdump and the Go program, which reads from tcpdump, are measured
where they are installed.
`

interface LoadOptions {
  /** Frames per second; null: as fast as the sender can. */
  rates: readonly (number | null)[]
  seconds: number
  workers: number
  pairs: number
  /** Percent of one core; null: no limit. */
  cpu: number | null
  set: readonly string[]
  svg: string | null
  /** Folder of the Go program's source. */
  goPeer: string
}

/** One rate. Shares are of the frames offered. */
interface LoadSample {
  framesPerSecond: number
  /** Pairs assembled per second, and their share of those sent. */
  pairsPerSecond: number
  coverage: number
  kernelDrops: number
  /** Frames of connections shed in the kernel (an estimate) and in the program, and frames dropped one by one in front of a full ring. */
  kernelShed: number
  shed: number
  ringDrops: number
  cores: number
  rssMiB: number
  /** Frames that tcpdump's kernel ring dropped; null: not measured. */
  tcpdumpDrops: number | null
  /** The share of the pairs' responses that the Go program finds; null: not measured. */
  goCoverage: number | null
}

function readOptions(args: string[]): LoadOptions | null {
  const { values } = parseArgs({
    args,
    options: {
      rates: { type: 'string', default: '25000,50000,100000,200000,400000,top' },
      seconds: { type: 'string', default: '5' },
      workers: { type: 'string', default: '1' },
      pairs: { type: 'string', default: '50000' },
      cpu: { type: 'string' },
      set: { type: 'string', multiple: true, default: [] },
      svg: { type: 'string' },
      'go-peer': { type: 'string', default: GO_PEER_SOURCE },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return null
  return {
    rates: values.rates.split(',').map((rate) => (rate === 'top' ? null : positive('--rates', rate))),
    seconds: positive('--seconds', values.seconds),
    workers: positive('--workers', values.workers),
    pairs: positive('--pairs', values.pairs),
    cpu: values.cpu === undefined ? null : positive('--cpu', values.cpu),
    set: values.set,
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

interface Summary {
  frames: { kernelDropped: number; kernelShed: number; dropped: { ring: number; shed: number } }
  pairs: { shipped: number }
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
    const file = join(folder, 'summary.json')
    const settings = options.set.flatMap((setting) => ['--set', setting])
    const run = await LiveRun.start(veth, ['--workers', String(options.workers), '--summary', file, ...settings])
    const unlimit = options.cpu === null ? null : limitCpu(run.pid, options.cpu)
    const cpuBefore = run.cpuMs
    const replay = replayArguments(trace, rate, options.seconds)
    const sent = await veth.replay(replay)
    const cores = (run.cpuMs - cpuBefore) / (sent.seconds * 1000)
    const { rssMiB } = run
    await run.settle()
    await run.stop()
    unlimit?.()
    const { frames, pairs } = JSON.parse(readFileSync(file, 'utf8')) as Summary
    const pairsPerFrame = trace.pairs! / countFrames(trace)
    return {
      framesPerSecond: sent.frames / sent.seconds,
      pairsPerSecond: pairs.shipped / sent.seconds,
      coverage: pairs.shipped / (sent.frames * pairsPerFrame),
      kernelDrops: frames.kernelDropped / sent.frames,
      kernelShed: frames.kernelShed / sent.frames,
      shed: frames.dropped.shed / sent.frames,
      ringDrops: frames.dropped.ring / sent.frames,
      cores,
      rssMiB,
      tcpdumpDrops: await tcpdumpDrops(veth, replay),
      goCoverage: await goCoverage(veth, replay, goPeer, pairsPerFrame, folder),
    }
  } finally {
    veth.delete()
    rmSync(folder, { recursive: true })
  }
}

const percent = (share: number): string => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 2 : 1)} %`

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
      'shed in kernel',
      'shed',
      'ring drops',
      'cores',
      'RSS',
      'tcpdump drops',
      'Go coverage',
    ],
    rows: samples.map((sample) => [
      whole(sample.framesPerSecond),
      whole(sample.pairsPerSecond),
      percent(sample.pairsPerSecond / peak),
      percent(sample.coverage),
      percent(sample.kernelDrops),
      percent(sample.kernelShed),
      percent(sample.shed),
      percent(sample.ringDrops),
      figure(sample.cores),
      `${whole(sample.rssMiB)} MiB`,
      sample.tcpdumpDrops === null ? '–' : percent(sample.tcpdumpDrops),
      sample.goCoverage === null ? '–' : percent(sample.goCoverage),
    ]),
    notes: [
      'Go: gopacket, tcpassembly and net/http on what tcpdump captures with a ring of 8 MiB; it neither pairs nor writes',
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

const options = readOptions(process.argv.slice(2))
if (options === null) process.stdout.write(HELP)
else await run(options)
