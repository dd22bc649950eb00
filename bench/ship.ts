/** The shipper into a real Kafka, with each compression: CPU time of shipper and broker, and bytes on the wire for a pair. */
import * as zlib from 'node:zlib'
import { KafkaBroker } from '../rig/kafka.ts'
import { reservePorts } from '../rig/ports.ts'
import type { Compression } from '../src/kafka/codecs.ts'
import { ratiosOf } from './baseline.ts'
import { kafkaMissing } from './kafka-missing.ts'
import { cpuMs, runProgram } from './measure.ts'
import { script } from './programs.ts'
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

interface ShipSample {
  pairs: number
  pairBytes: number
  wallMs: number
  shipCpuMs: number
  /** Beside it, what the first pass needs to load the client, connect and compile. */
  startCpuMs: number
  /** For the pairs of both passes. */
  brokerCpuMs: number
  shipped: number
  shippedTwice: number
  bytesShipped: number
}

/** Ships the traces' pairs `rounds` times with each compression, each time in a new process. */
export async function measureShip(traces: readonly Trace[], rounds: number): Promise<(Section | Missing)[]> {
  const missing = kafkaMissing(WHAT)
  if (missing !== null) return [missing]
  const broker = new KafkaBroker({ port: await reservePorts(3) })
  try {
    await broker.start()
    // The broker's JVM compiles its code for each codec during the first pass.
    for (const codec of CODECS) await shipOnce(broker, traces[0], codec, `warm-${codec}`)
    const sections: Section[] = []
    for (const trace of traces) {
      const samples = new Map<Compression, ShipSample[]>(CODECS.map((codec) => [codec, []]))
      for (let round = 0; round < rounds; round++) {
        for (const [codec, taken] of samples) {
          taken.push(await shipOnce(broker, trace, codec, `${trace.name}-${codec}-${round}`))
        }
      }
      sections.push(shipSection(trace, samples))
    }
    return sections
  } finally {
    await broker.remove()
  }
}

async function shipOnce(broker: KafkaBroker, { path }: Trace, codec: Compression, topic: string): Promise<ShipSample> {
  const brokerCpu = (): number => (broker.pid === undefined ? 0 : cpuMs(broker.pid))
  const before = brokerCpu()
  const { stdout } = await runProgram([process.execPath, script('ship-stage'), path, broker.plaintext, topic, codec])
  return { ...(JSON.parse(stdout) as Omit<ShipSample, 'brokerCpuMs'>), brokerCpuMs: brokerCpu() - before }
}

function shipSection(trace: Trace, samples: ReadonlyMap<Compression, readonly ShipSample[]>): Section {
  const figures = [...samples].map(([codec, taken]) => {
    const over = (pick: (sample: ShipSample) => number) => spread(taken.map(pick))
    return {
      codec,
      wireBytesPerPair: over(({ bytesShipped, shipped }) => bytesShipped / shipped),
      pairsPerSecond: over(({ shipped, wallMs }) => (shipped / wallMs) * 1000),
      cpuMicrosPerPair: over(({ shipCpuMs, shipped }) => (shipCpuMs * 1000) / shipped),
      startCpuMs: over(({ startCpuMs }) => startCpuMs),
      brokerCpuMicrosPerPair: over(({ brokerCpuMs, shippedTwice }) => (brokerCpuMs * 1000) / shippedTwice),
    }
  })
  const { pairs = 0, pairBytes = 0 } = samples.get('none')?.[0] ?? {}
  return {
    title: `Shipping: one shipper into a real Kafka on this machine, acks from the leader; ${whole(pairs)} pairs of ${whole(pairBytes)} bytes (${trace.name})`,
    columns: ['', 'bytes on the wire', 'pairs/s', 'shipper CPU µs/pair', 'its start, CPU ms', 'broker CPU µs/pair'],
    rows: figures.map((row) => [
      row.codec,
      spreadText(row.wireBytesPerPair),
      spreadText(row.pairsPerSecond),
      spreadText(row.cpuMicrosPerPair, figure),
      spreadText(row.startCpuMs),
      spreadText(row.brokerCpuMicrosPerPair, figure),
    ]),
    notes: [
      'shipper: user and system time of its thread and its helpers, compression included, once warm; broker: of its process',
    ],
    data: { pairs, pairBytes, figures },
    ratios: ratiosOf(
      `ship ${trace.name}`,
      {
        ...Object.fromEntries(figures.map(({ codec, cpuMicrosPerPair }) => [codec, cpuMicrosPerPair.median])),
        'broker, none': figures[0].brokerCpuMicrosPerPair.median,
      },
      /^broker/,
    ),
  }
}
