/** The slot of one assembler, with a capture worker's and the shipper's ends of its rings in this thread. */
import { compileProgram } from '../../../src/assemble/host/program.ts'
import { Intake } from '../../../src/capture/intake/intake.ts'
import { defaultConfig } from '../../../src/config/load.ts'
import { ASSEMBLE_COUNTERS, allocateCounters, CAPTURE_COUNTERS, SHIP_COUNTERS } from '../../../src/ledger/counters.ts'
import { type Ledger, sumLedger } from '../../../src/ledger/ledger.ts'
import type { Pair } from '../../../src/pair/pair.ts'
import { unpackPair } from '../../../src/pair/unpack.ts'
import { allocateRing, RingConsumer, RingProducer } from '../../../src/ring/byte-ring.ts'
import { Doorbell } from '../../../src/ring/doorbell.ts'
import { INTERFACE } from '../../../src/ring/layout.ts'
import type { AssembleSlot } from '../../../src/supervisor/workers/assembler-pool.ts'
import { Control } from '../../../src/thread/control.ts'
import { numbered, request } from '../../support/http-script.ts'
import { encodeFrames } from '../../support/tcp-frames.ts'
import { TcpScript } from '../../support/tcp-script.ts'

const MIB = 1024 * 1024

export class SlotRig {
  readonly slot: AssembleSlot
  readonly #ring = allocateRing(MIB)
  readonly #pairRing = allocateRing(4 * MIB)
  readonly #bell = Doorbell.allocate()
  readonly #producer = new RingProducer(this.#ring, new Doorbell(this.#bell))
  readonly #captureCounts = allocateCounters(CAPTURE_COUNTERS)
  readonly #counts = allocateCounters(ASSEMBLE_COUNTERS)
  protected readonly intake: Intake

  constructor() {
    const { filter, limits } = defaultConfig()
    const bell = new Doorbell(Doorbell.allocate())
    const control = new Control(Control.allocate())
    this.intake = new Intake({
      rings: [this.#producer],
      counters: this.#captureCounts,
      whenFull: 'drop',
      bell,
      control,
    })
    this.slot = {
      slot: 0,
      program: compileProgram(),
      rings: [this.#ring],
      captureBells: [null],
      marks: [],
      placeEnd: null,
      ownBell: this.#bell,
      pairRing: this.#pairRing,
      shipperBell: Doorbell.allocate(),
      onlyCounts: false,
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
    this.intake.addInterface(0, { name: 'eth7', vantage: 'server', mesh: null, domain: 0, vantagePoint: null })
  }

  send(script: TcpScript, port: number, interfaceId = 0): this {
    for (const { bytes, micros } of encodeFrames(script.segments, { client: { address: '10.0.0.1', port } })) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      this.intake.stamp.micros = micros
      this.intake.frame(bytes, view, 0, bytes.length, bytes.length, 1, interfaceId)
    }
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
    this.intake.flush()
    return this
  }

  /** Whether a pair has arrived in the ring to the shipper. */
  get published(): boolean {
    return !new RingConsumer(this.#pairRing, null).empty
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

  /** All that has arrived in the ring to the shipper. */
  takePairs(): Pair[] {
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

export const exchange = (n: number): TcpScript =>
  new TcpScript()
    .handshake()
    .client(request(`/${n}`))
    .server(numbered(n))
    .close()
