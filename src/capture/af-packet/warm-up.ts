/**
 * Runs generated frames through a temporary ring reader and intake, so that live capture does not start with
 * unoptimised code: that may process a burst more slowly than it arrives in the kernel's ring (bench/findings.md).
 */

import { allocateCounters, CAPTURE_COUNTERS } from '../../ledger/counters.ts'
import { FLAG_FIN, FLAG_SYN } from '../../net/tcp-header.ts'
import { allocateRing, RingConsumer, RingProducer } from '../../ring/byte-ring.ts'
import { Doorbell } from '../../ring/doorbell.ts'
import { connectionCheck, OpaqueMarks } from '../../ring/opaque-marks.ts'
import { Control } from '../../thread/control.ts'
import { flowHash } from '../intake/flow-hash.ts'
import { Intake } from '../intake/intake.ts'
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../wire/link-types.ts'
import { frameStarts, readyBlock, repeatedReader } from './ring-block.ts'

/** The warm-up ends after this many frames: V8 has optimised nearly everything by then. */
const MOST_FRAMES = 60_000
const BLOCK_BYTES = 64 * 1024
const FRAMES_IN_BLOCK = 48
const RING_BYTES = 256 * 1024
const LARGEST_PAYLOAD = 1100
/** One frame in so many begins a connection, ends one, or belongs to one that is marked as opaque. */
const EVERY = 8
const [BEGINS, ENDS, OPAQUE] = [0, 1, 2]
/** Ethernet's header and IPv4's, without options. */
const IP_AT = 14
const TCP_AT = IP_AT + 20
/** Interval of checking whether V8's flags are set; they are set once all threads have started. */
const UNTUNED_MS = 10

export class CaptureWarmUp {
  /** A CAPTURE_COUNTERS block. */
  readonly counters = allocateCounters(CAPTURE_COUNTERS)
  readonly #share: number
  readonly #control: Control
  readonly #intake: Intake
  readonly #consumers: readonly RingConsumer[]
  readonly #readers = [LINKTYPE_ETHERNET, LINKTYPE_RAW].map((linkType) => repeatedReader(blockOf(linkType), linkType))

  /**
   * @param ringCount the number of rings of the real intake
   * @param share of a core that the steps may use, above 0; 1: no pause
   * @param control of the thread
   */
  constructor(ringCount: number, share: number, control: Control) {
    this.#share = share
    this.#control = control
    const shared = Array.from({ length: ringCount }, () => allocateRing(RING_BYTES))
    const bell = new Doorbell(Doorbell.allocate())
    // As of live capture: without marks, V8 would leave out the code that looks for them, and optimize everything again.
    const marks = shared.map(() => new OpaqueMarks(OpaqueMarks.allocate()))
    markSome(marks)
    this.#consumers = shared.map((ring) => new RingConsumer(ring, null))
    this.#intake = new Intake({
      rings: shared.map((ring) => new RingProducer(ring, bell)),
      counters: this.counters,
      whenFull: 'drop',
      bell,
      control: new Control(Control.allocate()),
      marks,
    })
  }

  /**
   * Continues for less than a millisecond, unless V8's flags are not set yet.
   *
   * @returns milliseconds to wait before the next step; Infinity when nothing is left to warm up, or `limits.cpu` is short for frames
   */
  step(): number {
    if (this.#frames >= MOST_FRAMES || this.#control.shedForCpu > 0) return Number.POSITIVE_INFINITY
    if (!this.#control.isTuned) return UNTUNED_MS
    const startMs = performance.now()
    this.#process()
    return (performance.now() - startMs) * (1 / this.#share - 1)
  }

  #process(): void {
    for (const deliver of this.#readers) {
      deliver(this.#intake)
      this.#intake.flush()
      for (const consumer of this.#consumers) consumer.release(consumer.used)
    }
  }

  get #frames(): number {
    return this.counters[CAPTURE_COUNTERS.index.seen]
  }
}

/** A block with segments of all lengths. */
function blockOf(linkType: number): ArrayBuffer {
  const segments = Array.from({ length: FRAMES_IN_BLOCK }, (_, i) => ({
    connection: i,
    payloadBytes: (i * 131) % LARGEST_PAYLOAD,
    flags: i % EVERY === BEGINS ? FLAG_SYN : i % EVERY === ENDS ? FLAG_FIN : 0,
  }))
  return readyBlock(BLOCK_BYTES, linkType, segments)
}

/** Marks connections of the blocks, which have the same ones, in every table: a frame is looked up in that of its ring. */
function markSome(tables: readonly OpaqueMarks[]): void {
  const memory = blockOf(LINKTYPE_ETHERNET)
  const starts = frameStarts(memory).filter((_, i) => i % EVERY === OPAQUE)
  for (const start of starts) {
    const frame = new DataView(memory, start)
    const hash = flowHash(frame, 4, IP_AT, TCP_AT, 0)
    for (const marks of tables) marks.mark(hash, connectionCheck(frame, IP_AT, TCP_AT, 0, 0), marks.generation(hash))
  }
}
