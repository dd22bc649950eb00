/**
 * `npm run soak -- --minutes N --seed S`: runs the pipeline under traffic while pods start and end, Kafka is stopped,
 * killed and frozen, and threads throw, hang or run out of memory, all drawn from the seed. Once a minute it checks
 * whether memory and descriptors grow. The laws are checked at the end: they hold exactly only while no worker runs.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { commandLine, positive, wholeNumber } from '../../rig/command-line.ts'
import { KafkaBroker, needsKafka } from '../../rig/kafka.ts'
import { needs } from '../../rig/needs.ts'
import { Namespace } from '../../rig/netns.ts'
import { reservePorts } from '../../rig/ports.ts'
import { killAtExit } from '../../rig/process-tree.ts'
import { count } from '../../src/ledger/ledger.ts'
import { Random } from '../assemble/oracle/random.ts'
import { named, TargetRig, targetOf, type Usage, usage } from '../support/target-rig.ts'
import { type Fault, type Role, WorkerFaults } from '../support/worker-faults.ts'

const HELP = `Usage: npm run soak -- [--minutes N] [--seed S]

  --minutes N    how long (default 5)
  --seed S       what to draw the faults from (default: from the clock); the report names it
`

const { minutes: MINUTES, seed: SEED } = commandLine(HELP, process.argv.slice(2), (args) => {
  const { values } = parseArgs({ args, options: { minutes: { type: 'string' }, seed: { type: 'string' } } })
  return {
    minutes: positive('--minutes', values.minutes ?? '5'),
    seed: wholeNumber('--seed', values.seed ?? String(Date.now() % 1_000_000_000)),
  }
})

const PODS = 6
/** Between two events. */
const EVENT_MS = 2_000
const REPORT_MS = 60_000
/** Memory of restarted threads and JIT code stabilises within this time; growth is measured afterwards. */
const WARM_UP_MS = 120_000
const MAX_GROWTH_MIB = 96
const MAX_NEW_DESCRIPTORS = 40
/** Named where pairs are dropped. */
const RECENT_EVENTS = 6
/** Within this time every thread has been replaced, and waiting pairs have been shipped. */
const SETTLE_MS = 90_000

/**
 * An HTTP server on the loopback interface of its namespace that sends itself requests at an uneven rate until it is
 * killed.
 */
const POD = `
const http = require('http')
const sizes = [20, 900, 9000]
http.createServer((request, response) => {
  request.resume().on('end', () => response.end(Buffer.alloc(sizes[request.url.length % 3], 'x')))
}).listen(8080, '127.0.0.1')
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
let number = 0
setInterval(() => {
  for (let i = 0; i < 5; i++) {
    const path = '/' + 'a'.repeat(number++ % 7)
    http.get({ port: 8080, host: '127.0.0.1', path, agent }, (response) => response.resume()).on('error', () => {})
  }
}, 20)`

interface Pod {
  namespace: Namespace
  process: ChildProcess
  key: string
}

class Soak {
  readonly #random = new Random(SEED)
  readonly #rig: TargetRig
  readonly #broker: KafkaBroker
  readonly #faults: WorkerFaults
  readonly #pods: Pod[] = []
  readonly #happened: Record<string, number> = {}
  #started = 0
  /**
   * Minimum of memory and descriptors since the last report, because a thread that runs out of memory grows
   * temporarily.
   */
  #least: Usage = NO_USAGE
  /** What has happened, newest last, and how many pairs were dropped by then: a report of drops names its causes. */
  readonly #recent: string[] = []
  #dropped = 0

  constructor(rig: TargetRig, broker: KafkaBroker, faults: WorkerFaults) {
    this.#rig = rig
    this.#broker = broker
    this.#faults = faults
  }

  async run(): Promise<void> {
    const since = performance.now()
    const end = since + MINUTES * 60_000
    let nextReport = since + REPORT_MS
    let base: Usage | null = null
    for (let pod = 0; pod < PODS / 2; pod++) await this.#addPod()
    while (performance.now() < end) {
      await sleep(EVENT_MS)
      this.#least = lower(this.#least, this.#usage())
      await this.#event()
      this.#reportDrops()
      const now = performance.now()
      if (now < nextReport) continue
      nextReport += REPORT_MS
      if (now > since + WARM_UP_MS) base ??= this.#least
      this.#report(now - since, base)
      this.#least = NO_USAGE
    }
    for (const pod of this.#pods.splice(0)) await this.#removePod(pod)
  }

  /** A random element, drawn from the seed. */
  async #event(): Promise<void> {
    const what = this.#random.below(10)
    if (what < 3 && this.#pods.length < PODS) await this.#count('pods added', () => this.#addPod())
    else if (what < 5 && this.#pods.length > 1) {
      const [pod] = this.#pods.splice(this.#random.below(this.#pods.length), 1)
      await this.#count('pods removed', () => this.#removePod(pod))
    } else if (what < 6) await this.#count('outages', () => this.#outage())
    else await this.#count('faults', () => this.#fault())
  }

  /** Without pairs that wait for Kafka: they may fill the whole buffer. */
  #usage(): Usage {
    const { rssMiB, descriptors } = usage()
    return { rssMiB: Math.round(rssMiB - this.#rig.pipeline.observe().buffer.bytes / 2 ** 20), descriptors }
  }

  async #count(what: string, work: () => Promise<void>): Promise<void> {
    this.#note(what)
    await work()
    this.#happened[what] = (this.#happened[what] ?? 0) + 1
  }

  async #addPod(): Promise<void> {
    const namespace = Namespace.create('soak')
    const args = ['netns', 'exec', namespace.name, process.execPath, '-e', POD]
    const pod = killAtExit(spawn('ip', args, { stdio: 'ignore' }))
    this.#started += 1
    const target = named(`pod-${this.#started}`, targetOf(namespace))
    await this.#rig.add(target)
    this.#pods.push({ namespace, process: pod, key: target.key })
  }

  async #removePod({ namespace, process: pod, key }: Pod): Promise<void> {
    pod.kill('SIGKILL')
    await this.#rig.pipeline.remove(key)
    namespace.delete()
  }

  async #outage(): Promise<void> {
    if (this.#random.below(2) === 0) {
      this.#broker.signal('SIGSTOP')
      await sleep(3_000)
      this.#broker.signal('SIGCONT')
      return
    }
    await this.#broker.stop(this.#random.below(2) === 0 ? 'SIGKILL' : 'SIGTERM')
    await this.#broker.start()
  }

  async #fault(): Promise<void> {
    const role = (['capture', 'assemble', 'ship'] satisfies Role[])[this.#random.below(3)]
    const fault = (['throw', 'throw', 'hang', 'exhaust'] satisfies Fault[])[this.#random.below(4)]
    const thread = this.#rig.pipeline.observe().threads.find((one) => one.role === role)
    // Threads that are about to be replaced get no further fault.
    if (thread?.state !== 'ready') return
    this.#note(`${role}: ${fault}`)
    await this.#faults.inject(role, fault)
  }

  #note(what: string): void {
    this.#recent.push(`${what} (${this.#rig.count('pairs.kept')} pairs kept)`)
    if (this.#recent.length > RECENT_EVENTS) this.#recent.shift()
  }

  #reportDrops(): void {
    const dropped = this.#rig.count('pairs.dropped')
    if (dropped === this.#dropped) return
    this.#dropped = dropped
    const reasons = JSON.stringify(this.#rig.pipeline.ledger['pairs'])
    process.stderr.write(`pairs dropped: ${reasons}; before: ${this.#recent.join(', ')}\n`)
  }

  #report(ms: number, base: Usage | null): void {
    const now = this.#least
    const counts = ['pairs.kept', 'pairs.shipped', 'pairs.queued', 'pairs.dropped', 'frames.lost'].map(
      (path) => `${path} ${this.#rig.count(path)}`,
    )
    const events = Object.entries(this.#happened).map(([what, howMany]) => `${howMany} ${what}`)
    const use = `${now.rssMiB} MiB, ${now.descriptors} descriptors`
    process.stderr.write(`${Math.round(ms / 1000)} s: ${[...counts, ...events, use].join(', ')}\n`)
    if (base === null) return
    assert.ok(now.rssMiB < base.rssMiB + MAX_GROWTH_MIB, `memory grew from ${base.rssMiB} to ${now.rssMiB} MiB`)
    assert.ok(
      now.descriptors < base.descriptors + MAX_NEW_DESCRIPTORS,
      `${base.descriptors} to ${now.descriptors} descriptors`,
    )
  }
}

const NO_USAGE: Usage = { rssMiB: Number.POSITIVE_INFINITY, descriptors: Number.POSITIVE_INFINITY }

const lower = (one: Usage, other: Usage): Usage => ({
  rssMiB: Math.min(one.rssMiB, other.rssMiB),
  descriptors: Math.min(one.descriptors, other.descriptors),
})

async function soak(t: TestContext): Promise<void> {
  process.stderr.write(`seed ${SEED}, ${MINUTES} minutes\n`)
  const broker = new KafkaBroker({ port: await reservePorts(3) })
  t.after(() => broker.remove())
  await broker.start()
  const faults = await WorkerFaults.attach(t)
  const rig = new TargetRig(t, {
    config: (config) => ({
      ...config,
      ship: { ...config.ship, sink: 'kafka' },
      kafka: { ...config.kafka, brokers: [broker.plaintext], topic: 'soak', createTopic: true },
    }),
  })
  await new Soak(rig, broker, faults).run()
  const settled = (): boolean =>
    count(rig.pipeline.ledger, 'pairs.queued') === 0 &&
    rig.pipeline.observe().threads.every(({ state }) => state === 'ready')
  for (const end = performance.now() + SETTLE_MS; !settled() && performance.now() < end; ) await sleep(100)
  // The laws, exact to the unit.
  const { ledger } = await rig.end()
  assert.ok(count(ledger, 'pairs.shipped') > 0)
  process.stderr.write(`every law holds: ${JSON.stringify(ledger['pairs'])}\n`)
}

const skip = needs('root', 'ip') || needsKafka()
await test('soak', { skip, timeout: MINUTES * 60_000 + SETTLE_MS + 120_000 }, soak)
