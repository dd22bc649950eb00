/**
 * `npm run kills -- --kills N --seed S`: makes threads throw, hang or run out of memory under traffic, N of each role (34, a hundred in all),
 * at times drawn from the seed: each is replaced, losses are counted, and no pair is wrong.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { commandLine, wholeNumber } from '../../rig/command-line.ts'
import { KafkaBroker, needsKafka } from '../../rig/kafka.ts'
import { needs } from '../../rig/needs.ts'
import { Namespace } from '../../rig/netns.ts'
import { reservePorts } from '../../rig/ports.ts'
import { count } from '../../src/ledger/ledger.ts'
import type { ThreadObservation } from '../../src/ledger/observation.ts'
import type { Pair } from '../../src/pair/pair.ts'
import { unpackPair } from '../../src/pair/unpack.ts'
import { Random } from '../assemble/oracle/random.ts'
import { readTopic } from '../e2e/kafka-support.ts'
import { named, TargetRig, targetOf, type Usage, usage } from '../support/target-rig.ts'
import { type Fault, type Role, WorkerFaults } from '../support/worker-faults.ts'

const HELP = `Usage: npm run kills -- [--kills N] [--seed S]

  --kills N    how often a thread of each role is ended (default 34)
  --seed S     what to draw the faults from (default 4071983)
`

const { kills: KILLS, seed: SEED } = commandLine(HELP, process.argv.slice(2), (args) => {
  const { values } = parseArgs({ args, options: { kills: { type: 'string' }, seed: { type: 'string' } } })
  return {
    kills: wholeNumber('--kills', values.kills ?? '34'),
    seed: wholeNumber('--seed', values.seed ?? '4071983'),
  }
})
const TOPIC = 'survivors'
const ROLES: readonly Role[] = ['capture', 'assemble', 'ship']
/** Of each role, before memory and descriptors are measured for the first time. */
const FIRST_KILLS = 10
/** On average, on a busy machine. */
const KILL_MS = 10_000
const FAULTS: readonly Fault[] = ['throw', 'trap', 'exhaust', 'exhaust', 'hang']
/** A thread that was ready for a second is restarted after the shortest delay. */
const HEALTHY_MS = 1_050
const SPREAD_MS = 400
const LOOK_MS = 10
const WAIT_MS = 60_000
const SETTLE_MS = 2_000
/**
 * A fault without effect after this time did not reach its thread, because Node.js's inspector misses the start of some
 * threads.
 */
const UNSEEN_MS = 8_000
/** Limits of the time from the end or hang of a thread until its replacement works. */
const RESTARTED_MS = 1_000
const HANG_MS = 5_000
/** Additional time on a busy machine. */
const BUSY_MS = 10_000
const MAX_GROWTH_MIB = 128
const MAX_NEW_DESCRIPTORS = 8

/** Requests its own server, `/0`, `/1` …, whose responses repeat the number. SIGTERM: prints how many were completed. */
const POD = `
const http = require('http')
http.createServer((request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ target: request.url, text: 'x'.repeat(Number(request.url.slice(1)) % 3000) }))
}).listen(8080, '127.0.0.1')
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
let [sent, completed] = [0, 0]
const timer = setInterval(() => {
  for (let i = 0; i < 3; i++) {
    const request = http.get({ port: 8080, host: '127.0.0.1', path: '/' + sent++, agent })
    request.on('response', (response) => response.resume().on('end', () => { completed += 1 }))
  }
}, 15)
process.on('SIGTERM', () => {
  clearInterval(timer)
  setTimeout(() => { console.log(completed); process.exit() }, 500)
})`

/** How long each restart took, by what ended the thread. */
type Times = Record<Fault, number[]>

class Killer {
  readonly times: Times = { throw: [], trap: [], exhaust: [], hang: [] }
  readonly #rig: TargetRig
  readonly #t: TestContext
  #faults: WorkerFaults
  /** Number of times that the inspector did not know the newest thread. */
  reattached = 0

  constructor(t: TestContext, rig: TargetRig, faults: WorkerFaults) {
    this.#t = t
    this.#rig = rig
    this.#faults = faults
  }

  /** Kills threads of all roles in parallel. @returns the process's resources once all of them have been replaced */
  async run(kills: number, seed: number): Promise<Usage> {
    await Promise.all(ROLES.map((role, i) => this.#runRole(role, kills, new Random(seed + i))))
    await sleep(SETTLE_MS)
    return usage()
  }

  async #runRole(role: Role, kills: number, random: Random): Promise<void> {
    for (let kill = 0; kill < kills; kill++) {
      await sleep(HEALTHY_MS + random.below(SPREAD_MS))
      await this.#kill(role, FAULTS[random.below(FAULTS.length)])
    }
  }

  async #kill(role: Role, fault: Fault): Promise<void> {
    await this.#until(`a ${role} thread works`, () => this.#thread(role)?.state === 'ready')
    const before = this.restarts(role)
    let injected = performance.now()
    let ended = 0
    await this.#faults.inject(role, fault)
    await this.#until(`a ${role} thread that has “${fault}” is replaced`, async () => {
      if (this.restarts(role) !== before) {
        if (ended === 0) ended = performance.now()
        return this.#thread(role)?.state === 'ready'
      }
      if (performance.now() - injected < UNSEEN_MS) return false
      this.reattached += 1
      this.#faults = await WorkerFaults.attach(this.#t)
      injected = performance.now()
      await this.#faults.inject(role, fault)
      return false
    })
    this.times[fault].push(performance.now() - (fault === 'hang' ? injected : ended))
  }

  restarts(role: Role): number {
    return this.#thread(role)?.restarts ?? 0
  }

  #thread(role: Role): ThreadObservation | undefined {
    return this.#rig.pipeline.observe().threads.find((one) => one.role === role)
  }

  async #until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + WAIT_MS
    while (!(await holds())) {
      const { threads } = this.#rig.pipeline.observe()
      const state = threads.map(({ role, state, restarts, silentMs }) => [role, state, restarts, silentMs])
      assert.ok(performance.now() < end, `${what}: ${JSON.stringify(state)}\n${this.#rig.lines.slice(-9).join('')}`)
      await sleep(LOOK_MS)
    }
  }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0

function checkTimes(t: TestContext, times: Times): void {
  for (const [fault, all] of Object.entries(times)) {
    const goal = fault === 'hang' ? HANG_MS : RESTARTED_MS
    const [half, most] = [median(all), Math.max(...all)].map(Math.round)
    t.diagnostic(`${fault}: ${all.length} threads, replaced after ${half} ms (median), ${most} ms at most`)
    assert.ok(half <= goal && most <= goal + BUSY_MS, `${fault}: ${half} ms, at most ${most} ms`)
  }
}

await test(`kills: each of ${KILLS} killed threads of each role is replaced, and losses are counted (seed ${SEED})`, {
  skip: needs('root', 'ip') || needsKafka(),
  timeout: 60_000 + KILLS * KILL_MS,
}, async (t) => {
  const broker = new KafkaBroker({ port: await reservePorts(3) })
  t.after(() => broker.remove())
  await broker.start()
  await broker.createTopic(TOPIC)
  const pod = Namespace.create()
  t.after(() => pod.delete())
  const faults = await WorkerFaults.attach(t)
  const rig = new TargetRig(t, {
    config: (config) => ({
      ...config,
      capture: { ...config.capture, ringBytes: 16 * 2 ** 20, maxWorkers: 1 },
      ship: { ...config.ship, sink: 'kafka' },
      kafka: { ...config.kafka, brokers: [broker.plaintext], topic: TOPIC },
    }),
  })
  await rig.add(named('shop', targetOf(pod)))
  const traffic = pod.spawn(process.execPath, '-e', POD)
  await rig.until(() => rig.count('pairs.shipped') > 100)

  const killer = new Killer(t, rig, faults)
  const first = await killer.run(FIRST_KILLS, SEED)
  const now = await killer.run(KILLS - FIRST_KILLS, SEED + ROLES.length)
  const last = rig.count('pairs.shipped')
  await rig.until(() => rig.count('pairs.shipped') > last + 200, 'all works on')
  const restarts = { capture: killer.restarts('capture'), ship: killer.restarts('ship') }
  traffic.kill('SIGTERM')
  const [completed] = (await once(traffic.stdout!, 'data')) as [Buffer]
  const requests = Number(completed.toString())
  // The laws, exact to the unit.
  const { ledger } = await rig.end()

  t.diagnostic(`attached again ${killer.reattached} times`)
  t.diagnostic(`${requests} exchanges; ${JSON.stringify({ frames: ledger['frames'], pairs: ledger['pairs'] })}`)
  t.diagnostic(`at first ${JSON.stringify(first)}, at the end ${JSON.stringify(now)}`)
  // Batches in flight when a shipper ended are stored twice.
  const targets = new Set(readTopic(broker, TOPIC).map(({ value }) => provenTarget(unpackPair(value))))
  assert.ok(targets.size >= count(ledger, 'pairs.shipped') && targets.size <= count(ledger, 'pairs.kept'))
  assert.ok(targets.size > 0.8 * requests, `${targets.size} of ${requests} pairs`)
  // A shipper loses the pair it was formatting, and a capture worker the frame it was reading.
  assert.ok(count(ledger, 'pairs.dropped.crash') <= restarts.ship)
  assert.ok(count(ledger, 'frames.dropped.crash') <= restarts.capture)
  assert.equal(count(ledger, 'frames.kernelDropped'), 0, 'the kernel’s ring outlives the worker')
  assert.ok(now.descriptors <= first.descriptors + MAX_NEW_DESCRIPTORS, 'descriptors')
  assert.ok(now.rssMiB <= first.rssMiB + MAX_GROWTH_MIB, 'memory')
  // Checked last, because a busy machine may exceed the limits.
  checkTimes(t, killer.times)
})

/** The target of a pair, which its response must repeat. */
function provenTarget(pair: Pair | Error): string {
  if (pair instanceof Error) throw pair
  assert.equal(JSON.parse(Buffer.from(pair.response.body).toString()).target, pair.request.target, 'a wrong pair')
  return pair.request.target
}
