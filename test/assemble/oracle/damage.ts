/**
 * Effects of networks and captures on the frames of a conversation. Each function returns new frames and leaves its
 * input unchanged.
 */
import { cut, type Segment } from '../../support/tcp-script.ts'
import type { Random } from './random.ts'

/** A segment and its connection. */
export interface Frame {
  readonly connection: number
  readonly segment: Segment
}

/** Interleaves the frames of several connections, as in a capture; the order within each connection is kept. */
export function interleave(random: Random, connections: readonly (readonly Segment[])[]): Frame[] {
  const queues = connections.map((segments, connection) => segments.map((segment) => ({ connection, segment })))
  const frames: Frame[] = []
  for (let rest = queues.filter((queue) => queue.length > 0); rest.length > 0; ) {
    const queue = random.pick(rest)
    for (let i = random.between(1, 4); i > 0; i--) {
      const frame = queue.shift()
      if (frame !== undefined) frames.push(frame)
    }
    rest = rest.filter((other) => other.length > 0)
  }
  return inTime(frames)
}

/** Removes frames, each with a probability of 1 / `times`, and sometimes a few consecutive ones. */
export function drop(random: Random, frames: readonly Frame[], times: number): Frame[] {
  let burst = 0
  return frames.filter(() => {
    if (burst > 0) burst--
    else if (random.oneIn(times)) burst = random.oneIn(4) ? random.between(1, 6) : 0
    else return true
    return false
  })
}

/** Repeats frames up to eight positions later: captured twice, or retransmitted. */
export function duplicate(random: Random, frames: readonly Frame[], times: number): Frame[] {
  const copies: { at: number; frame: Frame }[] = frames.map((frame, at) => ({ at, frame }))
  for (const [at, frame] of frames.entries()) {
    if (random.oneIn(times)) copies.push({ at: at + random.between(0, 8) + 0.5, frame })
  }
  return inTime(copies.sort((a, b) => a.at - b.at).map(({ frame }) => frame))
}

/** Retransmits payloads with other boundaries, which overlap the original segments. */
export function resend(random: Random, frames: readonly Frame[], times: number): Frame[] {
  return inTime(
    frames.flatMap((frame, at) => {
      const before = frames[at - 1]
      if (!random.oneIn(times) || frame.segment.payload.length < 2) return [frame]
      const pieces = cut(frame.segment, random.between(1, frame.segment.payload.length))
      const joined = before === undefined ? null : joinedWith(before, frame)
      const again = pieces.map((segment) => ({ ...frame, segment }))
      return joined === null ? [...again, frame] : [...again, joined]
    }),
  )
}

/** Delays frames by up to `distance` positions, whatever their connection and direction. */
export function reorder(random: Random, frames: readonly Frame[], times: number, distance: number): Frame[] {
  const places = frames.map((frame, at) => ({
    at: random.oneIn(times) ? at + random.between(1, distance) + 0.5 : at,
    frame,
  }))
  return inTime(places.sort((a, b) => a.at - b.at).map(({ frame }) => frame))
}

/** Truncates payloads like a snap length: the end of the frame is missing. */
export function snap(random: Random, frames: readonly Frame[], times: number): Frame[] {
  return frames.map((frame) => {
    const { payload } = frame.segment
    if (payload.length === 0 || !random.oneIn(times)) return frame
    const kept = random.below(payload.length)
    const segment = { ...frame.segment, payload: payload.subarray(0, kept), cut: payload.length - kept }
    return { ...frame, segment }
  })
}

/** Starts the capture after the connections begin, and ends it before they end. */
export function excerpt(random: Random, frames: readonly Frame[]): Frame[] {
  const from = random.below(frames.length)
  return frames.slice(from, random.between(from, frames.length))
}

/** Makes packet times follow the order of the frames, because a capture's clock does not go back. */
function inTime(frames: readonly Frame[]): Frame[] {
  let micros = Math.min(...frames.map(({ segment }) => segment.micros))
  return frames.map(({ connection, segment }) => {
    micros += 10
    return { connection, segment: { ...segment, micros } }
  })
}

/** Merges two segments if the second directly follows the first. */
function joinedWith(before: Frame, frame: Frame): Frame | null {
  const [a, b] = [before.segment, frame.segment]
  const follows = before.connection === frame.connection && a.fromClient === b.fromClient
  if (!follows || (a.seq + a.payload.length) >>> 0 !== b.seq >>> 0 || a.flags !== b.flags) return null
  return { ...frame, segment: { ...b, seq: a.seq, payload: Buffer.concat([a.payload, b.payload]) } }
}
