/**
 * kafkajs 2.2.4 is the last release there is. What of it fails against brokers that are slow, short-lived or hostile is
 * repaired here, in place, once per thread. With kafkajs-wire.ts this is all that knows kafkajs from the inside.
 *
 * `test/kafka/kafkajs-wire.test.ts` fails when something this relies on has moved.
 */
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import { errorText } from '../errors.ts'
import { BadAnswerError } from './errors.ts'
import { FrameReader } from './frame-reader.ts'

const require = createRequire(import.meta.url)

/** A broker may ask a client to pause (KIP-219), within its quota window; a damaged answer may ask for weeks. */
const MAX_THROTTLE_MS = 15_000
/** Of a session's lifetime, what may pass before a client authenticates again; Java's client waits for 85 to 95 %. */
const SESSION_SHARE = 0.8

let repaired = false

/** Applies every repair. Safe to call again. @throws when kafkajs's parts are not where they were */
export function repairKafkajs(): void {
  if (repaired) return
  repaired = true
  repairRequestQueue()
  repairSessions()
  repairDecoder()
  repairMetadata()
}

interface RequestQueue {
  readonly pending: readonly unknown[]
  readonly inflight: ReadonlyMap<number, unknown>
  scheduleCheckPendingRequests(): void
  maybeThrottle(ms: number | null): void
  fulfillRequest(answer: { correlationId: number }): void
}

/**
 * - After every answer it sets a timer with a negative delay, which fires at once and sets the next: a connection that
 *   has once answered wakes a thousand times a second (kafkajs#1751). The timer is needed only while requests wait for a
 *   throttle to pass.
 * - It believes any throttle.
 * - An answer to no request is ignored. It shows that the two sides disagree, so the connection must end: the request
 *   that was meant waits for its timeout otherwise.
 */
function repairRequestQueue(): void {
  const { prototype } = require('kafkajs/src/network/requestQueue/index.js') as { prototype: RequestQueue }
  const { scheduleCheckPendingRequests, maybeThrottle, fulfillRequest } = prototype
  prototype.scheduleCheckPendingRequests = function (): void {
    if (this.pending.length > 0) scheduleCheckPendingRequests.call(this)
  }
  prototype.maybeThrottle = function (ms): void {
    maybeThrottle.call(this, ms === null ? ms : Math.min(ms, MAX_THROTTLE_MS))
  }
  prototype.fulfillRequest = function (answer): void {
    if (!this.inflight.has(answer.correlationId)) throw new BadAnswerError('the broker answers what was not asked')
    fulfillRequest.call(this, answer)
  }
}

interface Connection {
  /** As `process.hrtime` answers it; null: not authenticated. */
  readonly authenticatedAt: [number, number] | null
  /** Milliseconds, a Long; 0: unlimited. */
  readonly sessionLifetime: { toString(): string }
  isAuthenticated(): boolean
}

/**
 * It authenticates again ten seconds before a session ends, so that a shorter session (`connections.max.reauth.ms`, or a
 * token that expires soon) has ended when it begins, and no request is ever sent.
 */
function repairSessions(): void {
  const { prototype } = require('kafkajs/src/network/connection.js') as { prototype: Connection }
  prototype.isAuthenticated = function (): boolean {
    if (this.authenticatedAt === null) return false
    const lifetimeMs = Number(this.sessionLifetime.toString())
    const [seconds, nanos] = process.hrtime(this.authenticatedAt)
    return lifetimeMs === 0 || seconds * 1e3 + nanos / 1e6 < lifetimeMs * SESSION_SHARE
  }
}

/** Methods of kafkajs's Decoder that advance by a length or count they have read. */
const DECODER_METHODS = [
  ...['readString', 'readVarIntString', 'readUVarIntString', 'readBytes', 'readVarIntBytes', 'readUVarIntBytes'],
  ...['readVarInt', 'readUVarInt', 'readVarLong', 'readInt64', 'readTaggedFields', 'forward'],
]

interface Decoder {
  readonly offset: number
  readonly buffer: Buffer
  [method: string]: unknown
}

/**
 * It believes lengths: a negative one moves it backwards, so that an array may never end, and one past the end reads
 * zeros. Every step must now move forwards and stay within the answer. Arrays are bounded by their elements then.
 */
function repairDecoder(): void {
  const { prototype } = require('kafkajs/src/protocol/decoder.js') as { prototype: Decoder }
  for (const name of DECODER_METHODS) {
    const method = prototype[name] as (this: Decoder, ...args: unknown[]) => unknown
    prototype[name] = function (this: Decoder, ...args: unknown[]): unknown {
      const before = this.offset
      const value = method.apply(this, args)
      if (this.offset < before || this.offset > this.buffer.length) {
        throw new BadAnswerError('an answer is shorter than it claims')
      }
      return value
    }
  }
}

interface PartitionMetadata {
  partitionErrorCode: number
  leader: number
}

/**
 * One partition without a leader makes it refuse the metadata of the whole topic. Such a partition is one without a
 * leader, no more. Version 6 is what it speaks with every broker that knows Produce v7.
 */
function repairMetadata(): void {
  const response = require('kafkajs/src/protocol/requests/metadata/v6/response.js') as {
    decode(payload: Buffer): Promise<{ topicMetadata: { partitionMetadata: PartitionMetadata[] }[] }>
  }
  const { decode } = response
  response.decode = async (payload) => {
    const metadata = await decode(payload)
    for (const partition of metadata.topicMetadata.flatMap((topic) => topic.partitionMetadata)) {
      if (partition.partitionErrorCode !== 0) partition.leader = -1
      partition.partitionErrorCode = 0
    }
    return metadata
  }
}

/**
 * Has a socket hand whole frames to its listeners. kafkajs's own reader keeps half a frame when its connection breaks,
 * and reads the next connection's bytes as the rest of it; and it waits for as many bytes as the first four announce.
 * What its listener throws on the way ends the connection, not the thread.
 *
 * @param maxFrameBytes largest answer to accept
 * @param onFrame called for each, before the listener
 */
export function deliverFrames(socket: Socket, maxFrameBytes: number, onFrame: () => void): void {
  const reader = new FrameReader(maxFrameBytes)
  const on = socket.on.bind(socket) as (event: string, listener: (...args: never[]) => void) => Socket
  socket.on = (event: string, listener: (...args: never[]) => void): Socket => {
    if (event !== 'data') return on(event, listener)
    return on(event, (chunk: Buffer) => {
      try {
        for (const frame of reader.push(chunk)) {
          onFrame()
          ;(listener as (frame: Buffer) => void)(frame)
        }
      } catch (error) {
        socket.destroy(error instanceof BadAnswerError ? error : new BadAnswerError(errorText(error)))
      }
    })
  }
}
