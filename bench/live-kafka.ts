/**
 * What a pair costs from the wire into Kafka: `capture` of one end of a veth pair, with a real broker in the same namespace. Rounds
 * alternate with captures whose output is only counted, so their difference is the cost of writing pairs and shipping them. There are two
 * rates, because a pair costs more where the CPUs are idle most of the time than where they are busy.
 */
import { KafkaBroker } from '../rig/kafka.ts'
import { kafkaMissing } from './kafka-missing.ts'
import { liveMissing } from './live.ts'
import { replayLive } from './live-run.ts'
import { figure, type Missing, type Section, spreadText, whole } from './report.ts'
import { type Spread, spread } from './statistics.ts'
import type { Trace } from './traces.ts'
import { VethPair } from './veth.ts'

const WHAT = 'live capture into Kafka'
/** The broker's first port of three, in a namespace of its own. */
const PORT = 29_592

interface Rate {
  framesPerSecond: number
  /** How often the trace is sent. */
  loops: number
}

/**
 * Both take some 42 s for the trace of 200,000 pairs, of which the last 22 are those of a warm program. Two CPUs carry the second beside the sender and the broker; at the sender's top
 * speed, 400,000 frames/s, the broker cannot keep up.
 */
const RATES: readonly Rate[] = [
  { framesPerSecond: 40_000, loops: 2 },
  { framesPerSecond: 100_000, loops: 5 },
]

const OUTPUTS = ['into Kafka', 'counted'] as const
type Output = (typeof OUTPUTS)[number]

interface Kind {
  rate: Rate
  output: Output
}

interface Sample {
  framesPerSecond: number
  pairs: number
  dropped: number
  cpuMicrosPerPair: number
  warmCpuMicrosPerPair: number | null
}

export async function measureLiveKafka(trace: Trace, rounds: number): Promise<Section | Missing> {
  const missing = liveMissing(WHAT) ?? kafkaMissing(WHAT)
  if (missing !== null) return missing
  const veth = new VethPair()
  const broker = new KafkaBroker({ port: PORT, namespace: veth.receiver.name })
  try {
    await broker.start()
    const kinds: Kind[] = RATES.flatMap((rate) => OUTPUTS.map((output) => ({ rate, output })))
    const samples = new Map<Kind, Sample[]>(kinds.map((kind) => [kind, []]))
    let topics = 0
    for (let round = 0; round < rounds; round++) {
      for (const [{ rate, output }, taken] of samples) {
        taken.push(await replayOnce(veth, trace, rate, optionsOf(output, broker, topics++)))
      }
    }
    return liveKafkaSection(trace, samples)
  } finally {
    await broker.remove()
    veth.delete()
  }
}

/** A topic a run, so that the broker's files stay small. */
const optionsOf = (output: Output, { plaintext }: KafkaBroker, topic: number): string[] =>
  output === 'counted'
    ? ['-o', 'none']
    : ['--brokers', plaintext, '--topic', `live-${topic}`, '--set', 'kafka.createTopic=true']

async function replayOnce(veth: VethPair, trace: Trace, rate: Rate, output: readonly string[]): Promise<Sample> {
  const speed = [`--pps=${rate.framesPerSecond}`, `--loop=${rate.loops}`]
  const { kernelDropped, ringDropped, ...sample } = await replayLive(veth, trace, speed, [], output)
  return { ...sample, dropped: kernelDropped + ringDropped }
}

function liveKafkaSection(trace: Trace, samples: ReadonlyMap<Kind, readonly Sample[]>): Section {
  const results = [...samples].map(([{ rate, output }, taken]) => ({
    output,
    sent: trace.pairs === null ? null : trace.pairs * rate.loops,
    framesPerSecond: spread(taken.map(({ framesPerSecond }) => framesPerSecond)),
    pairs: spread(taken.map(({ pairs }) => pairs)),
    dropped: spread(taken.map(({ dropped }) => dropped)),
    cpuMicrosPerPair: spread(taken.map(({ cpuMicrosPerPair }) => cpuMicrosPerPair)),
    warmCpuMicrosPerPair: warmSpread(taken),
  }))
  return {
    title: `Live: ${trace.name} into Kafka, one interface, the whole program`,
    columns: ['', 'frames/s', 'pairs found of sent', 'frames dropped', 'CPU µs/pair', 'warm'],
    rows: results.map(({ output, sent, framesPerSecond, pairs, dropped, cpuMicrosPerPair, warmCpuMicrosPerPair }) => [
      output,
      spreadText(framesPerSecond),
      `${spreadText(pairs)} of ${sent === null ? '?' : whole(sent)}`,
      spreadText(dropped),
      spreadText(cpuMicrosPerPair, figure),
      warmCpuMicrosPerPair === null ? '–' : spreadText(warmCpuMicrosPerPair, figure),
    ]),
    notes: [
      'CPU: user and system time of the program from the first frame until it is idle again, V8 compiling included',
      'warm: the same from 20 s after the first frame until the last one, as in an agent that runs for days',
    ],
    data: { trace: trace.name, results },
  }
}

/** @returns null where a run took too short for a warm part */
function warmSpread(samples: readonly Sample[]): Spread | null {
  const warm = samples.map(({ warmCpuMicrosPerPair }) => warmCpuMicrosPerPair).filter((micros) => micros !== null)
  return warm.length === 0 ? null : spread(warm)
}
