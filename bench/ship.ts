/** The shipper into a real Kafka: CPU time for a pair of 1.4 KB. */
import { runProgram } from './measure.ts'
import { inPath, script } from './parts.ts'
import { figure, type Missing, type Section, spreadText, whole } from './report.ts'
import { spread } from './statistics.ts'
import type { Trace } from './traces.ts'

/** The broker's first port of three. */
const PORT = 29_392
const WHAT = 'shipping to Kafka'

interface ShipSample {
  pairs: number
  pairBytes: number
  wallMs: number
  shipCpuMs: number
  shipped: number
}

/** Ships the trace's pairs `rounds` times, each in a new process. */
export async function measureShip(trace: Trace, rounds: number): Promise<Section | Missing> {
  for (const program of ['java', 'mvn', 'openssl']) {
    if (!inPath(program)) return { what: WHAT, why: `install ${program === 'mvn' ? 'Maven' : program}` }
  }
  const { fetchKafka } = await import('../rig/kafka-jars.ts')
  const unfetched = fetchKafka()
  if (unfetched !== null) return { what: WHAT, why: unfetched }
  const { KafkaBroker } = await import('../rig/kafka.ts')
  const broker = new KafkaBroker({ port: PORT })
  try {
    await broker.start()
    const samples: ShipSample[] = []
    for (let round = 0; round < rounds; round++) {
      const topic = `bench-${round}`
      const { stdout } = await runProgram([process.execPath, script('ship-stage'), trace.path, broker.plaintext, topic])
      samples.push(JSON.parse(stdout) as ShipSample)
    }
    return shipSection(samples)
  } finally {
    await broker.remove()
  }
}

function shipSection(samples: readonly ShipSample[]): Section {
  const over = (pick: (sample: ShipSample) => number) => spread(samples.map(pick))
  const cpuMicrosPerPair = over(({ shipCpuMs, shipped }) => (shipCpuMs * 1000) / shipped)
  const pairsPerSecond = over(({ shipped, wallMs }) => (shipped / wallMs) * 1000)
  const { pairs, pairBytes } = samples[0]
  return {
    title: 'Shipping: one shipper into a real Kafka on this machine, acks from the leader, no compression',
    columns: ['', 'pairs', 'bytes a pair', 'shipped', 'pairs/s', 'CPU µs/pair'],
    rows: [
      [
        'shipper',
        whole(pairs),
        whole(pairBytes),
        spreadText(over(({ shipped }) => shipped)),
        spreadText(pairsPerSecond),
        spreadText(cpuMicrosPerPair, figure),
      ],
    ],
    notes: ["user and system time of the shipper's thread and its helpers; the broker's is not in it"],
    data: { pairs, pairBytes, cpuMicrosPerPair, pairsPerSecond },
  }
}
