/** Assembler threads that crash or hang are replaced on the same rings, and the counters balance. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileProgram } from '../../../src/assemble/host/program.ts'
import type { ToAssembler } from '../../../src/assemble/worker-data.ts'
import { Intake } from '../../../src/capture/intake/intake.ts'
import { defaultConfig } from '../../../src/config/load.ts'
import { ASSEMBLE_COUNTERS, allocateCounters, CAPTURE_COUNTERS, SHIP_COUNTERS } from '../../../src/ledger/counters.ts'
import { count, type Ledger, sumLedger } from '../../../src/ledger/ledger.ts'
import { createLogger } from '../../../src/log/logger.ts'
import type { Pair } from '../../../src/pair/pair.ts'
import { unpackPair } from '../../../src/pair/unpack.ts'
import { allocateRing, RingConsumer, RingProducer } from '../../../src/ring/byte-ring.ts'
import { Doorbell } from '../../../src/ring/doorbell.ts'
import { INTERFACE } from '../../../src/ring/layout.ts'
import { AssemblerPool, type AssembleSlot } from '../../../src/supervisor/workers/assembler-pool.ts'
import { AssemblerState } from '../../../src/supervisor/workers/assembler-state.ts'
import { threads } from '../../../src/supervisor/workers/threads.ts'
import { Control } from '../../../src/thread/control.ts'
import { summary } from '../../support/assemble-harness.ts'
import { numbered, request } from '../../support/http-script.ts'
import { assertLaws } from '../../support/ledger.ts'
import { encodeFrames } from '../../support/tcp-frames.ts'
import { TcpScript } from '../../support/tcp-script.ts'

const MIB = 1024 * 1024

/** A pool of one slot, with a capture worker's and the shipper's ends in this thread. */
class Rig {
  readonly pool: AssemblerPool
  readonly lines: string[] = []
  readonly state = new AssemblerState(defaultConfig())
  readonly #ring = allocateRing(MIB)
  readonly #pairRing = allocateRing(4 * MIB)
  readonly #bell = Doorbell.allocate()
  readonly #producer = new RingProducer(this.#ring, new Doorbell(this.#bell))
  readonly #captureCounts = allocateCounters(CAPTURE_COUNTERS)
  readonly #counts = allocateCounters(ASSEMBLE_COUNTERS)
  readonly #intake: Intake

  constructor() {
    const log = createLogger({ level: 'error', form: 'json', foldMs: 0, write: (line) => this.lines.push(line) })
    const { filter, limits } = defaultConfig()
    const bell = new Doorbell(Doorbell.allocate())
    const control = new Control(Control.allocate())
    this.#intake = new Intake({
      rings: [this.#producer],
      counters: this.#captureCounts,
      whenFull: 'drop',
      bell,
      control,
    })
    const slot: AssembleSlot = {
      slot: 0,
      program: compileProgram(),
      rings: [this.#ring],
      captureBells: [null],
      marks: [],
      ownBell: this.#bell,
      pairRing: this.#pairRing,
      shipperBell: Doorbell.allocate(),
      control: Control.allocate(),
      counters: this.#counts,
      whenFull: 'wait',
      options: {
        node: 'n1',
        filter,
        everything: true,
        messageBytes: limits.messageBytes,
        pairBytes: limits.pairBytes,
        responseTimeoutMicros: 60_000_000,
        incompleteResponses: false,
        idleTimeoutMicros: 600_000_000,
        flows: 1000,
        keep: 'both',
        clusterNetworks: [],
        poolBytes: 4 * MIB,
        stateBytes: 4 * MIB,
      },
    }
    this.pool = new AssemblerPool([slot], this.state, threads, log)
    const checking = setInterval(() => this.pool.check(), 20)
    void this.pool.ended.then(() => clearInterval(checking))
    this.#intake.addInterface(0, { name: 'eth7', vantage: 'server', mesh: null, domain: 0, vantagePoint: null })
  }

  send(script: TcpScript, port: number, interfaceId = 0): this {
    for (const { bytes, micros } of encodeFrames(script.segments, { client: { address: '10.0.0.1', port } })) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      this.#intake.stamp.micros = micros
      this.#intake.frame(bytes, view, 0, bytes.length, bytes.length, 1, interfaceId)
    }
    return this
  }

  /** Posts a message to the assemblers like the pipeline. */
  post(message: ToAssembler): this {
    this.state.apply(message)
    this.pool.post(message)
    return this
  }

  /** A record that no capture worker writes: an interface whose description is not JSON. */
  corrupt(): this {
    const at = this.#producer.tryClaim(32)
    this.#producer.words[(at >> 2) + 1] = INTERFACE
    this.#producer.words[(at >> 2) + 4] = 8
    this.#producer.words[(at >> 2) + 5] = 1
    this.#producer.bytes.fill(0x78, at + 24, at + 32)
    this.#producer.commit()
    return this
  }

  flush(): this {
    this.#intake.flush()
    return this
  }

  async until(what: () => boolean): Promise<void> {
    for (let turns = 0; !what(); turns++) {
      assert.ok(turns < 4000, 'waited in vain')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** Whether a pair has arrived in the ring to the shipper. */
  get published(): boolean {
    return !new RingConsumer(this.#pairRing, null).empty
  }

  async finish(): Promise<{ pairs: Pair[]; ledger: Ledger }> {
    this.#intake.finish()
    await this.pool.ended
    const pairs = this.#takePairs()
    return { pairs, ledger: this.ledger(pairs) }
  }

  ledger(pairs: readonly Pair[]): Ledger {
    const shipped = allocateCounters(SHIP_COUNTERS)
    shipped[SHIP_COUNTERS.index.shipped] = pairs.length
    return sumLedger([
      { layout: CAPTURE_COUNTERS, values: this.#captureCounts },
      { layout: ASSEMBLE_COUNTERS, values: this.#counts },
      { layout: SHIP_COUNTERS, values: shipped },
    ])
  }

  #takePairs(): Pair[] {
    const consumer = new RingConsumer(this.#pairRing, null)
    const block = new Uint8Array(4 * MIB)
    const available = consumer.peek(block, block.length)
    const view = new DataView(block.buffer)
    const pairs: Pair[] = []
    for (let at = 0; at < available; at += view.getInt32(at, true)) {
      const start = at + view.getInt32(at + 20, true)
      const pair = unpackPair(block.slice(start, start + view.getInt32(at + 16, true)))
      if (pair instanceof Error) throw pair
      pairs.push(pair)
    }
    return pairs
  }
}

const exchange = (n: number): TcpScript =>
  new TcpScript()
    .handshake()
    .client(request(`/${n}`))
    .server(numbered(n))
    .close()
const open = (n: number): TcpScript => new TcpScript().handshake().client(request(`/${n}`))

test('assembler pool: every assembler runs once, to the end of its input', async () => {
  const rig = new Rig()
  const { pairs, ledger } = await rig.send(exchange(1), 1).send(exchange(2), 2).finish()
  assert.deepEqual(summary(pairs), ['GET /1 200', 'GET /2 200'])
  assertLaws(ledger)
  assert.equal(rig.pool.restarts, 0)
})

test('assembler pool: restarts an assembler that fails, which continues with the next frames', async () => {
  const rig = new Rig()
  rig.send(exchange(1), 1).flush()
  await rig.until(() => rig.published)
  rig.corrupt().flush()
  await rig.until(() => rig.pool.restarts === 1)
  const { pairs, ledger } = await rig.send(exchange(2), 2).finish()
  assert.deepEqual(summary(pairs), ['GET /1 200', 'GET /2 200'])
  assertLaws(ledger)
  assert.equal(rig.lines.length, 1)
  assert.match(rig.lines[0], /the assembler failed and is restarted/)
})

test('assembler pool: a restarted assembler knows the interfaces that were announced before', async () => {
  const rig = new Rig()
  rig.send(exchange(1), 1).corrupt().flush()
  await rig.until(() => rig.pool.restarts === 1)
  const { pairs } = await rig.send(exchange(2), 2).finish()
  assert.deepEqual(
    pairs.map(({ capture }) => capture),
    pairs.map(() => ({ node: 'n1', interface: 'eth7', vantage: 'server', mesh: null })),
  )
  assert.ok(summary(pairs).includes('GET /2 200'))
  assert.equal(rig.pool.restarts, 1)
})

const named = (name: string): ToAssembler => ({
  t: 'interface',
  id: 1,
  info: { name, vantage: 'server', mesh: null, domain: 1, vantagePoint: null },
})

test('assembler pool: a message applies to the frames after it, also after a restart', async () => {
  const rig = new Rig()
  await rig.pool.ready()
  for (const [n, name] of ['first', 'second', 'third'].entries()) {
    rig.post(named(name)).send(exchange(n), n, 1).flush()
    await rig.until(() => count(rig.ledger([]), 'pairs.kept') === n + 1)
  }
  rig.corrupt().flush()
  await rig.until(() => rig.pool.restarts === 1)
  rig.send(exchange(3), 3, 1).flush()
  await rig.until(() => count(rig.ledger([]), 'pairs.kept') === 4)
  const { pairs } = await rig.post(named('fourth')).send(exchange(4), 4, 1).finish()
  const names = pairs.map(({ capture }) => capture.interface)
  assert.deepEqual(names, ['first', 'second', 'third', 'third', 'fourth'])
})

test('assembler pool: a message posted while no thread runs reaches the next one', async () => {
  const rig = new Rig()
  rig.post(named('early'))
  rig.corrupt().flush()
  await rig.until(() => rig.lines.length === 1)
  rig.post(named('late'))
  const { pairs } = await rig.send(exchange(1), 1, 1).finish()
  assert.deepEqual(
    pairs.map(({ capture }) => capture.interface),
    ['late'],
  )
})

test('assembler pool: reports the CPU time while they run', async () => {
  const rig = new Rig()
  await rig.until(() => rig.pool.observe()[0].cpuSeconds !== null)
  const [thread] = rig.pool.observe()
  assert.deepEqual([thread.role, thread.slot, thread.restarts], ['assemble', 0, 0])
  assert.ok(thread.cpuSeconds! > 0)
  await rig.finish()
  assert.deepEqual(rig.pool.observe(), [], 'no thread is left')
})

test('assembler pool: pairs completed just before a failure are not lost', async () => {
  const rig = new Rig()
  const { pairs, ledger } = await rig.send(exchange(1), 1).corrupt().send(exchange(2), 2).finish()
  assert.ok(summary(pairs).includes('GET /1 200'))
  assertLaws(ledger)
})

test('assembler pool: counts what a failed assembler held as lost by a crash', async () => {
  const rig = new Rig()
  rig.send(open(1), 1).send(open(2), 2).send(exchange(3), 3).flush()
  await rig.until(() => rig.published)
  rig.corrupt().flush()
  await rig.until(() => rig.pool.restarts === 1)
  const { ledger } = await rig.finish()
  assertLaws(ledger)
  assert.equal(count(ledger, 'requests.abandoned.crash'), 2)
  assert.equal(count(ledger, 'flows.closed.crash'), 2)
})

test('assembler pool: replaces terminated threads, which continue', async () => {
  const rig = new Rig()
  rig.send(exchange(1), 1).send(open(2), 2).flush()
  await rig.until(() => rig.published)
  rig.pool.terminate()
  await rig.until(() => rig.pool.restarts > 0)
  const { pairs, ledger } = await rig.send(exchange(3), 3).finish()
  assert.deepEqual(summary(pairs), ['GET /1 200', 'GET /3 200'])
  assertLaws(ledger)
  assert.equal(count(ledger, 'requests.abandoned.crash'), 1)
})

test('assembler pool: a stop ends it at once, and the ledger balances', async () => {
  const rig = new Rig()
  rig.send(open(1), 1).flush()
  await rig.until(() => count(rig.ledger([]), 'messages.requests') === 1)
  rig.pool.stop()
  await rig.pool.ended
  const ledger = rig.ledger([])
  assertLaws(ledger)
  assert.equal(count(ledger, 'requests.abandoned.ended'), 1)
})
