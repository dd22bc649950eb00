/**
 * Streams of which bytes seem to be lost: their receiver has acknowledged them, and they were not captured. Captures of
 * several queues or interfaces show an acknowledgement before the data that it covers, so a loss is believed only after
 * a while. Streams in the order in which that began.
 *
 *     quiet ──acknowledged past a hole──▶ suspected ──4 segments of the connection and 1 ms, or 50 ms──▶ lost: a gap
 *       ▲                                     │
 *       └───────the bytes are captured────────┘
 */
import { append, oldestIn, remove, SUSPECTED } from '../memory/list'
import { Direction, Flow, flowOf, RareState, Stream, streamOf } from './flow'
import { rareStateOf } from './rare-state'
import { seqDiff } from './seq'

const PATIENCE_SEGMENTS: i32 = 4
const PATIENCE_MICROS: f64 = 1000
/** Belief without further segments of the connection. */
const LONG_PATIENCE_MICROS: f64 = 50_000

const LINKS: usize = offsetof<RareState>('suspectedOlder')

/**
 * Bytes of the stream seem to be lost.
 *
 * @param clock packet time now
 * @returns whether they are believed to be lost
 */
export function isBelieved(flow: Flow, direction: Direction, clock: f64): bool {
  const rare = rareStateOf(streamOf(flow, direction), direction)
  const since = clock - rare.suspectedMicros
  if (!rare.suspected || since < 0) {
    suspect(flow, rare, clock)
    return false
  }
  if (since >= LONG_PATIENCE_MICROS) return true
  return since >= PATIENCE_MICROS && flow.segments - rare.suspectedSegments >= PATIENCE_SEGMENTS
}

/** How many of the `lost` bytes at the stream's place were acknowledged when the suspicion began. */
export function coveredBytes(stream: Stream, lost: i32): i32 {
  const rare = stream.rare
  return rare === null ? 0 : min(lost, max(0, seqDiff(stream.nextSeq, rare.suspectedAck)))
}

/** The flow with the oldest suspicion that has lasted long enough to be believed without further segments, or null. */
export function overdueSuspicion(clock: f64): Flow | null {
  const rare = changetype<RareState | null>(oldestIn(SUSPECTED))
  if (rare === null || abs(clock - rare.suspectedMicros) < LONG_PATIENCE_MICROS) return null
  return flowOf(rare.stream, rare.direction)
}

/** Nothing of the stream seems to be lost any more. */
export function clearSuspicion(stream: Stream): void {
  const rare = stream.rare
  if (rare === null || !rare.suspected) return
  rare.suspected = false
  remove(SUSPECTED, changetype<usize>(rare), LINKS)
}

function suspect(flow: Flow, rare: RareState, clock: f64): void {
  clearSuspicion(rare.stream)
  rare.suspected = true
  rare.suspectedMicros = clock
  rare.suspectedSegments = flow.segments
  rare.suspectedAck = rare.stream.acked
  append(SUSPECTED, changetype<usize>(rare), LINKS)
}
