/**
 * Runs the capture thread's work for each frame of a kernel ring on one thread: a block is read repeatedly, and its
 * frames pass through intake into a frame ring. The best of the rounds, in which the kinds alternate.
 *
 *     node dist/bench/capture-pass.js ROUNDS    one JSON line, nanoseconds per frame
 */
import {
  BLOCK_HEADER_BYTES,
  type GeneratedSegment,
  PACKET_HEADER_BYTES,
  readyBlock,
  repeatedReader,
} from '../src/capture/af-packet/ring-block.ts'
import { flowHash } from '../src/capture/intake/flow-hash.ts'
import { Intake } from '../src/capture/intake/intake.ts'
import { LINKTYPE_ETHERNET } from '../src/capture/wire/link-types.ts'
import { allocateCounters, CAPTURE_COUNTERS } from '../src/ledger/counters.ts'
import { allocateRing, RingConsumer, RingProducer } from '../src/ring/byte-ring.ts'
import { copyBytes } from '../src/ring/copy-bytes.ts'
import { Doorbell } from '../src/ring/doorbell.ts'
import { connectionCheck, OpaqueMarks } from '../src/ring/opaque-marks.ts'
import { Control } from '../src/thread/control.ts'
import { setCompilerFlags } from '../src/thread/v8-flags.ts'

const BLOCK_BYTES = 128 * 1024
const FRAME_BYTES = 1514
const FRAMES = 80
const IP_AT = 14
const TCP_AT = IP_AT + 20
const BLOCKS = 500
const RING_BYTES = 4 * 1024 * 1024

/** Nanoseconds per frame. */
export interface CapturePass {
  /** Of an MTU frame that is copied into the frame ring. */
  copied: number
  /** Of one whose payload the assembler does not need: its headers are copied. */
  marked: number
  /** Of copying as many bytes and nothing else. */
  copying: number
}

/** @returns reads the block once. @param marks with `marked`, the connection is in them */
function reading(memory: ArrayBuffer, marked: boolean): () => void {
  const marks = new OpaqueMarks(OpaqueMarks.allocate())
  const frame = new DataView(memory, BLOCK_HEADER_BYTES + PACKET_HEADER_BYTES)
  const hash = flowHash(frame, 4, IP_AT, TCP_AT, 0)
  if (marked) marks.mark(hash, connectionCheck(frame, IP_AT, TCP_AT, 0, 0), marks.generation(hash))
  const shared = allocateRing(RING_BYTES)
  const bell = new Doorbell(Doorbell.allocate())
  const consumer = new RingConsumer(shared, null)
  const counters = allocateCounters(CAPTURE_COUNTERS)
  const intake = new Intake({
    rings: [new RingProducer(shared, bell)],
    counters,
    whenFull: 'drop',
    bell,
    control: new Control(Control.allocate()),
    marks: [marks],
  })
  const deliver = repeatedReader(memory, LINKTYPE_ETHERNET)
  return () => {
    deliver(intake)
    intake.flush()
    consumer.release(consumer.used)
    if (counters[CAPTURE_COUNTERS.index.queued] % FRAMES !== 0) throw new Error('a frame was not queued')
  }
}

/** @returns copies the block's frames to shared memory */
function copying(memory: ArrayBuffer): () => void {
  const source = new Uint8Array(memory)
  const target = new Uint8Array(new SharedArrayBuffer(RING_BYTES))
  let at = 0
  return () => {
    for (let i = 0; i < FRAMES; i++, at = (at + 1536) % (RING_BYTES - 2048)) {
      copyBytes(source, i * 1536, i * 1536 + FRAME_BYTES - IP_AT, target, at)
    }
  }
}

/** @returns nanoseconds per frame */
function timed(pass: () => void): number {
  const start = process.hrtime.bigint()
  for (let i = 0; i < BLOCKS; i++) pass()
  return Number(process.hrtime.bigint() - start) / (BLOCKS * FRAMES)
}

setCompilerFlags()
/** MTU frames of one connection. */
const segments = Array<GeneratedSegment>(FRAMES).fill({ connection: 0, payloadBytes: FRAME_BYTES - TCP_AT - 20 })
const memory = readyBlock(BLOCK_BYTES, LINKTYPE_ETHERNET, segments)
const passes = { copied: reading(memory, false), marked: reading(memory, true), copying: copying(memory) }
const best: CapturePass = { copied: Infinity, marked: Infinity, copying: Infinity }
for (let round = 0; round < Number(process.argv[2]); round++) {
  for (const kind of ['copied', 'marked', 'copying'] as const) best[kind] = Math.min(best[kind], timed(passes[kind]))
}
process.stdout.write(`${JSON.stringify(best)}\n`)
