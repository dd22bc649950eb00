/**
 * The shipper into a real Kafka, with each compression: CPU time of shipper and broker, and bytes on the wire for a pair; beside it,
 * where a C compiler and librdkafka are installed, the same messages through librdkafka.
 */
import * as zlib from 'node:zlib'
import { KafkaBroker } from '../rig/kafka.ts'
import { reservePorts } from '../rig/ports.ts'
import type { Compression } from '../src/kafka/codecs.ts'
import { ratiosOf } from './baseline.ts'
import { kafkaMissing } from './kafka-missing.ts'
import { cpuMs, runProgram } from './measure.ts'
import { script } from './programs.ts'
import { RdkafkaPeer } from './rdkafka-peer.ts'
import { figure, type Missing, type Section, spreadText, whole } from './report.ts'
import { spread } from './statistics.ts'
import type { Trace } from './traces.ts'

const WHAT = 'shipping to Kafka'
/** Node.js has zstd since 22.15. */
const CODECS: readonly Compression[] = [
  'none',
  'lz4',
  'snappy',
  ...('zstdCompress' in zlib ? ['zstd' as const] : []),
  'gzip',
]

/** The contender without compression that is not ours. */
const PEER = 'librdkafka, none'

interface Sample {
  wallMs: number
  shipCpuMs: number
  /** Beside it, what the first pass needs to load the client, connect and compile. */
  startCpuMs: number
  /** For the pairs of both passes. */
  brokerCpuMs: number
  shipped: number
  shippedTwice: number
}

interface ShipSample extends Sample {
  pairs: number
  pairBytes: number
  bytesShipped: number
}

/** Ships the traces' pairs `rounds` times with each compression, each time in a new process. */
export async function measureShip(traces: readonly Trace[], rounds: number): Promise<(Section | Missing)[]> {
  const missing = kafkaMissing(WHAT)
  if (missing !== null) return [missing]
  const peer = RdkafkaPeer.build()
  const broker = new KafkaBroker({ port: await reservePorts(3) })
  try {
    await broker.start()
    // The broker's JVM compiles its code for each codec during the first pass.
    for (const codec of CODECS) await shipOnce(broker, traces[0], codec, `warm-${codec}`)
    const results: (Section | Missing)[] = peer instanceof RdkafkaPeer ? [] : [peer]
    for (const trace of traces) {
      const peerSamples: Sample[] = []
      const samples = new Map<Compression, ShipSample[]>(CODECS.map((codec) => [codec, []]))
      for (let round = 0; round < rounds; round++) {
        for (const [codec, taken] of samples) {
          taken.push(await shipOnce(broker, trace, codec, `${trace.name}-${codec}-${round}`))
        }
        if (peer instanceof RdkafkaPeer)
          peerSamples.push(await peerOnce(broker, peer, trace, `${trace.name}-peer-${round}`))
      }
      results.push(shipSection(trace, samples, peerSamples))
    }
    return results
  } finally {
    await broker.remove()
  }
}

async function shipOnce(broker: KafkaBroker, { path }: Trace, codec: Compression, topic: string): Promise<ShipSample> {
  return withBrokerCpu(broker, async () => {
    const { stdout } = await runProgram([process.execPath, script('ship-stage'), path, broker.plaintext, topic, codec])
    return JSON.parse(stdout) as Omit<ShipSample, 'brokerCpuMs'>
  })
}

async function peerOnce(broker: KafkaBroker, peer: RdkafkaPeer, { path }: Trace, topic: string): Promise<Sample> {
  await broker.createTopic(topic)
  return withBrokerCpu(broker, () => peer.ship(path, broker.plaintext, topic))
}

async function withBrokerCpu<T extends object>(
  broker: KafkaBroker,
  run: () => Promise<T>,
): Promise<T & { brokerCpuMs: number }> {
  const brokerCpu = (): number => (broker.pid === undefined ? 0 : cpuMs(broker.pid))
  const before = brokerCpu()
  const sample = await run()
  return { ...sample, brokerCpuMs: brokerCpu() - before }
}

/** Per pair once warm, and of the start. */
function costsOf(taken: readonly Sample[]) {
  const over = (pick: (sample: Sample) => number) => spread(taken.map(pick))
  return {
    pairsPerSecond: over(({ shipped, wallMs }) => (shipped / wallMs) * 1000),
    cpuMicrosPerPair: over(({ shipCpuMs, shipped }) => (shipCpuMs * 1000) / shipped),
    startCpuMs: over(({ startCpuMs }) => startCpuMs),
    brokerCpuMicrosPerPair: over(({ brokerCpuMs, shippedTwice }) => (brokerCpuMs * 1000) / shippedTwice),
  }
}

const costCells = (costs: ReturnType<typeof costsOf>): string[] => [
  spreadText(costs.pairsPerSecond),
  spreadText(costs.cpuMicrosPerPair, figure),
  spreadText(costs.startCpuMs),
  spreadText(costs.brokerCpuMicrosPerPair, figure),
]

function shipSection(
  trace: Trace,
  samples: ReadonlyMap<Compression, readonly ShipSample[]>,
  peerSamples: readonly Sample[],
): Section {
  const figures = [...samples].map(([codec, taken]) => ({
    codec,
    wireBytesPerPair: spread(taken.map(({ bytesShipped, shipped }) => bytesShipped / shipped)),
    ...costsOf(taken),
  }))
  const peer = peerSamples.length === 0 ? null : costsOf(peerSamples)
  const [own] = figures
  const { pairs = 0, pairBytes = 0 } = samples.get('none')?.[0] ?? {}
  return {
    title: `Shipping: one shipper into a real Kafka on this machine, acks from the leader; ${whole(pairs)} pairs of ${whole(pairBytes)} bytes (${trace.name})`,
    columns: ['', 'bytes on the wire', 'pairs/s', 'shipper CPU µs/pair', 'its start, CPU ms', 'broker CPU µs/pair'],
    rows: [
      ...figures.map((row) => [row.codec, spreadText(row.wireBytesPerPair), ...costCells(row)]),
      ...(peer === null ? [] : [[PEER, '', ...costCells(peer)]]),
    ],
    notes: [
      'shipper: user and system time of its thread and its helpers, compression included, once warm; broker: of its process',
      ...(peer === null
        ? []
        : [
            `with none the shipper needs ${figure(own.cpuMicrosPerPair.median / peer.cpuMicrosPerPair.median)} of librdkafka's CPU time, which includes copying the messages in`,
          ]),
    ],
    data: { pairs, pairBytes, figures, ...(peer === null ? {} : { peer }) },
    ratios: ratiosOf(
      `ship ${trace.name}`,
      {
        ...Object.fromEntries(figures.map(({ codec, cpuMicrosPerPair }) => [codec, cpuMicrosPerPair.median])),
        'broker, none': own.brokerCpuMicrosPerPair.median,
      },
      /^broker/,
    ),
  }
}
