/**
 * What a pair costs from the wire into Kafka: `capture` of one end of a veth pair at an even pace, with a real broker in the
 * same namespace. Rounds alternate with captures whose output is only counted, so their difference is the cost of shipping.
 */
import { KafkaBroker } from '../rig/kafka.ts'
import { kafkaMissing } from './kafka-missing.ts'
import { liveMissing } from './live.ts'
import { replayLive } from './live-run.ts'
import { figure, type Missing, type Section, spreadText, whole } from './report.ts'
import { spread } from './statistics.ts'
import type { Trace } from './traces.ts'
import { VethPair } from './veth.ts'

const WHAT = 'live capture into Kafka'
/** The broker's first port of three, in a namespace of its own. */
const PORT = 29_592
/** Well under what two CPUs can carry beside the sender and the broker. */
const FRAMES_PER_SECOND = 40_000

const OUTPUTS = ['into Kafka', 'counted'] as const
type Output = (typeof OUTPUTS)[number]

interface Sample {
  pairs: number
  dropped: number
  cpuMicrosPerPair: number
}

export async function measureLiveKafka(trace: Trace, rounds: number): Promise<Section | Missing> {
  const missing = liveMissing(WHAT) ?? kafkaMissing(WHAT)
  if (missing !== null) return missing
  const veth = new VethPair()
  const broker = new KafkaBroker({ port: PORT, namespace: veth.receiver.name })
  try {
    await broker.start()
    const samples = new Map<Output, Sample[]>(OUTPUTS.map((output) => [output, []]))
    for (let round = 0; round < rounds; round++) {
      for (const [output, taken] of samples) taken.push(await replayOnce(veth, trace, optionsOf(output, broker, round)))
    }
    return liveKafkaSection(trace, samples)
  } finally {
    await broker.remove()
    veth.delete()
  }
}

/** A topic a round, so that the broker's files stay small. */
const optionsOf = (output: Output, { plaintext }: KafkaBroker, round: number): string[] =>
  output === 'counted'
    ? ['-o', 'none']
    : ['--brokers', plaintext, '--topic', `live-${round}`, '--set', 'kafka.createTopic=true']

async function replayOnce(veth: VethPair, trace: Trace, output: readonly string[]): Promise<Sample> {
  const speed = ['--pps', String(FRAMES_PER_SECOND)]
  const { pairs, kernelDropped, ringDropped, cpuMicrosPerPair } = await replayLive(veth, trace, speed, [], output)
  return { pairs, dropped: kernelDropped + ringDropped, cpuMicrosPerPair }
}

function liveKafkaSection(trace: Trace, samples: ReadonlyMap<Output, readonly Sample[]>): Section {
  const results = [...samples].map(([output, taken]) => ({
    output,
    pairs: spread(taken.map(({ pairs }) => pairs)),
    dropped: spread(taken.map(({ dropped }) => dropped)),
    cpuMicrosPerPair: spread(taken.map(({ cpuMicrosPerPair }) => cpuMicrosPerPair)),
  }))
  return {
    title: `Live: ${trace.name} at ${whole(FRAMES_PER_SECOND)} frames/s, one interface, the whole program`,
    columns: ['', 'pairs', 'frames dropped', 'CPU µs/pair'],
    rows: results.map(({ output, pairs, dropped, cpuMicrosPerPair }) => [
      output,
      spreadText(pairs),
      spreadText(dropped),
      spreadText(cpuMicrosPerPair, figure),
    ]),
    notes: [
      'CPU: user and system time of the program from the first frame until it is idle again, V8 compiling included',
    ],
    data: { trace: trace.name, framesPerSecond: FRAMES_PER_SECOND, results },
  }
}
