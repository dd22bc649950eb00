/**
 * The time from a response's last packet until its pair is in Kafka: `capture` of the loopback interface under a steady
 * load of real exchanges, with a real broker that stamps each record when it appends it.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaBroker } from '../rig/kafka.ts'
import { reservePorts } from '../rig/ports.ts'
import { killAtExit } from '../rig/process-tree.ts'
import { PROGRAM } from '../rig/root.ts'
import { kafkaMissing } from './kafka-missing.ts'
import { cpuMs } from './measure.ts'
import { figure, type Missing, type Section, whole } from './report.ts'
import { quantile } from './statistics.ts'

const WHAT = 'latency into Kafka'
const TOPIC = 'latency'
const EXCHANGES_PER_SECOND = 1000
const SECONDS = 10
/** Compiled code, leaders, batches: not measured. */
const FIRST_SECONDS = 3
const STEP_MS = 10
const BODY = JSON.stringify({ text: 'x'.repeat(1000) })
/** Until the last batch is acknowledged. */
const SETTLE_MS = 1000

export async function measureLatency(): Promise<Section | Missing> {
  if (process.getuid?.() !== 0) return { what: WHAT, why: 'run as root' }
  const missing = kafkaMissing(WHAT)
  if (missing !== null) return missing
  const broker = new KafkaBroker({ port: await reservePorts(3) })
  try {
    await broker.start()
    await broker.createTopic(TOPIC, ['message.timestamp.type=LogAppendTime'])
    return latencySection(await capturedLoad(broker), latencies(broker))
  } finally {
    await broker.remove()
  }
}

/** Captures while exchanges run. @returns the program's CPU time in percent of a core */
async function capturedLoad(broker: KafkaBroker): Promise<number> {
  const server = createServer((incoming, response) => {
    incoming.resume()
    response.setHeader('content-type', 'application/json')
    response.end(BODY)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const kafka = ['--brokers', broker.plaintext, '--topic', TOPIC, '--format', 'json']
  const child = spawn(process.execPath, [PROGRAM, 'capture', '-i', 'lo', ...kafka, `tcp port ${port}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  killAtExit(child)
  const ended = once(child, 'close')
  // Its first line reports that it captures.
  await once(child.stderr, 'data')
  child.stderr.resume()
  await exchange(port, FIRST_SECONDS)
  const [startMs, cpuBefore] = [performance.now(), cpuMs(child.pid!)]
  await exchange(port, SECONDS)
  const cpuPercent = (100 * (cpuMs(child.pid!) - cpuBefore)) / (performance.now() - startMs)
  await sleep(SETTLE_MS)
  child.kill('SIGTERM')
  await ended
  server.close()
  return cpuPercent
}

/** Requests at an even pace, on connections that are kept. */
async function exchange(port: number, seconds: number): Promise<void> {
  const agent = new Agent({ keepAlive: true })
  const running: Promise<unknown>[] = []
  const startMs = performance.now()
  for (let sent = 0; sent < EXCHANGES_PER_SECOND * seconds; await sleep(STEP_MS)) {
    const due = Math.min(seconds, (performance.now() - startMs) / 1000) * EXCHANGES_PER_SECOND
    for (; sent < due; sent++) {
      const outgoing = request({ port, agent, path: `/${sent}` }, (response) => response.resume())
      running.push(once(outgoing, 'close'))
      outgoing.end()
    }
  }
  await Promise.all(running)
  agent.destroy()
}

/** Milliseconds from each response's last packet until the broker has appended its pair, without those of the first seconds. */
function latencies(broker: KafkaBroker): number[] {
  const lines = broker.kcat(['-C', '-t', TOPIC, '-e', '-q', '-f', '%T %s\n']).trim().split('\n')
  const records = lines.map((line) => {
    const space = line.indexOf(' ')
    const { responseEndMicros } = JSON.parse(line.slice(space + 1)) as { responseEndMicros: number }
    return { endMs: responseEndMicros / 1000, appendedMs: Number(line.slice(0, space)) }
  })
  const first = records.reduce((least, { endMs }) => Math.min(least, endMs), Number.POSITIVE_INFINITY)
  return records
    .filter(({ endMs }) => endMs > first + FIRST_SECONDS * 1000)
    .map(({ endMs, appendedMs }) => appendedMs - endMs)
}

function latencySection(cpuPercent: number, measured: readonly number[]): Section {
  const [median, p99, most] = [0.5, 0.99, 1].map((share) => quantile(measured, share))
  return {
    title: `Latency: from a response's last packet until its pair is in Kafka, ${whole(EXCHANGES_PER_SECOND)} exchanges/s`,
    columns: ['', 'median ms', '99 % ms', 'most ms', 'pairs', 'CPU'],
    rows: [
      ['`capture` of lo', figure(median), figure(p99), figure(most), whole(measured.length), `${figure(cpuPercent)} %`],
    ],
    notes: [
      'most of it is the wait for a block of the kernel ring; where bursts of pairs are rare, a batch is sent once none has arrived for a tenth of ship.linger',
      'the broker stamps records in whole milliseconds',
    ],
    data: { median, p99, most, pairs: measured.length, cpuPercent },
  }
}
