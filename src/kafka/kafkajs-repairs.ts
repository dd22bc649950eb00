/**
 * Repairs to kafkajs 2.2.4, its last release, for brokers that are slow, short-lived or hostile. They are applied in
 * place, once per thread.
 */
import type { Socket } from 'node:net'
import connectionModule from 'kafkajs/src/network/connection.js'
import requestQueueModule from 'kafkajs/src/network/requestQueue/index.js'
import decoderModule from 'kafkajs/src/protocol/decoder.js'
import metadataResponse from 'kafkajs/src/protocol/requests/metadata/v6/response.js'
import { errorText } from '../errors.ts'
import { RunningTime } from '../thread/running-time.ts'
import { BadResponseError } from './errors.ts'
import { FrameReader } from './frame-reader.ts'
import type { Connection, RequestQueue } from './kafkajs-internals.ts'

/** A broker may ask a client to pause (KIP-219), within its quota window; a damaged response may ask for weeks. */
const MAX_THROTTLE_MS = 15_000
/** Share of a session's lifetime after which a client authenticates again; Java's client waits for 85 to 95 %. */
const SESSION_SHARE = 0.8

/** How often a connection looks for requests that have timed out. */
const TIMEOUT_CHECK_MS = 1000

let repaired = false

/** Applies every repair. Safe to call again. */
export function repairKafkajs(): void {
  if (repaired) return
  repaired = true
  repairRequestQueue()
  repairSessions()
  repairDecoder()
  repairArrays()
  repairMetadata()
}

/**
 * - After every response kafkajs sets a timer with a negative delay, which fires at once and sets the next one, so that
 *   the connection wakes a thousand times a second (kafkajs#1751). The timer is needed only while requests wait for the
 *   end of a throttle.
 * - kafkajs looks for requests that have timed out ten times a second, on each connection and also when there are none: at low rates
 *   a fifth of what wakes the thread. For timeouts of 15 seconds, once a second is enough. It also measures them on the
 *   wall clock: after it is set forward, or after this process was stopped, every request in flight would end, and their
 *   pairs would be sent twice.
 * - kafkajs obeys a throttle of any length, and measures it on the wall clock: one that is set back would prolong it.
 * - kafkajs ignores a response to no request. Such a response means that the two sides disagree, and the request it was
 *   meant for would wait for its timeout, so the connection must end.
 */
function repairRequestQueue(): void {
  const { prototype } = requestQueueModule as { prototype: RequestQueue }
  const { scheduleCheckPendingRequests, maybeThrottle, fulfillRequest, canSendSocketRequestImmediately } = prototype
  prototype.scheduleCheckPendingRequests = function (): void {
    if (this.pending.length > 0) scheduleCheckPendingRequests.call(this)
  }
  prototype.scheduleRequestTimeoutCheck = function (): void {
    this.destroy()
    const sinceMs = new WeakMap<object, number>()
    const time = new RunningTime()
    const check = (): void => {
      const nowMs = time.now()
      for (const request of this.inflight.values()) {
        const seenMs = sinceMs.get(request)
        if (seenMs === undefined) sinceMs.set(request, nowMs)
        else if (nowMs - seenMs > request.requestTimeout) request.timeoutRequest()
      }
      if (!this.isConnected()) this.destroy()
    }
    this.requestTimeoutIntervalId = setInterval(check, Math.min(this.requestTimeout, TIMEOUT_CHECK_MS))
  }
  prototype.maybeThrottle = function (ms): void {
    maybeThrottle.call(this, ms === null ? ms : Math.min(ms, MAX_THROTTLE_MS))
  }
  prototype.canSendSocketRequestImmediately = function (): boolean {
    if (this.throttledUntil > Date.now() + MAX_THROTTLE_MS) this.throttledUntil = -1
    return canSendSocketRequestImmediately.call(this)
  }
  prototype.fulfillRequest = function (response): void {
    if (!this.inflight.has(response.correlationId))
      throw new BadResponseError('the broker sent a response to no request')
    fulfillRequest.call(this, response)
  }
}

/**
 * kafkajs authenticates again ten seconds before a session ends. A shorter session (`connections.max.reauth.ms`, or a
 * token that expires soon) would count as ended from its start, and no request would ever be sent.
 */
function repairSessions(): void {
  const { prototype } = connectionModule as { prototype: Connection }
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

/** Methods of kafkajs's Decoder that read an array, how each reads the count of elements, and what it adds to it. */
const ARRAY_METHODS = [
  ['readArray', 'readInt32', 0],
  ['readArrayAsync', 'readInt32', 0],
  ['readVarIntArray', 'readVarInt', 0],
  ['readUVarIntArray', 'readUVarInt', 1],
] as const

interface Decoder {
  offset: number
  readonly buffer: Buffer
  [method: string]: unknown
}

/**
 * kafkajs's decoder trusts lengths: a negative one moves it backwards, so that decoding an array may never end, and one
 * past the end reads zeros. With this repair each step must move forwards and stay within the response. Only `forward` may pass the end: a broker cuts the last batch of a response, and
 * kafkajs skips what is left of it.
 */
function repairDecoder(): void {
  const { prototype } = decoderModule as { prototype: Decoder }
  for (const name of DECODER_METHODS) {
    const method = prototype[name] as (this: Decoder, ...args: unknown[]) => unknown
    prototype[name] = function (this: Decoder, ...args: unknown[]): unknown {
      const before = this.offset
      const value = method.apply(this, args)
      const isPastEnd = this.offset > this.buffer.length && name !== 'forward'
      if (this.offset < before || isPastEnd) {
        throw new BadResponseError('a response is shorter than it claims')
      }
      return value
    }
  }
}

/**
 * kafkajs allocates an array for as many elements as a response announces, 256 MB for one wrong byte. With this repair there
 * are at most as many as bytes follow, since no element is empty.
 */
function repairArrays(): void {
  const { prototype } = decoderModule as { prototype: Decoder }
  for (const [name, readCount, added] of ARRAY_METHODS) {
    const method = prototype[name] as (this: Decoder, read: unknown) => unknown
    prototype[name] = function (this: Decoder, read: unknown): unknown {
      const before = this.offset
      const elements = (this[readCount] as () => number)() - added
      if (elements > this.buffer.length - this.offset)
        throw new BadResponseError('a response is shorter than it claims')
      this.offset = before
      return method.call(this, read)
    }
  }
}

interface PartitionMetadata {
  partitionErrorCode: number
  leader: number
}

/**
 * kafkajs refuses the metadata of a whole topic when one partition has no leader. With this repair only that partition
 * has none. Version 6 is the one that kafkajs uses with every broker that supports Produce v7.
 */
function repairMetadata(): void {
  const response = metadataResponse as {
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

export interface FrameDelivery {
  /** Largest response to accept. */
  maxFrameBytes: number
  /** Called for each response, before the listener. */
  onFrame(): void
  /** Called once, before the connection ends for bytes that are no valid response. */
  onBadResponse(error: Error): void
}

/**
 * Makes a socket deliver whole frames to its listeners. kafkajs's own reader keeps half a frame when its connection
 * breaks, reads the next connection's bytes as the rest of it, and waits for as many bytes as any length announces.
 * An exception of the listener ends the connection and not the thread.
 */
export function deliverFrames(socket: Socket, { maxFrameBytes, onFrame, onBadResponse }: FrameDelivery): void {
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
        const bad = error instanceof BadResponseError ? error : new BadResponseError(errorText(error))
        onBadResponse(bad)
        socket.destroy(bad)
      }
    })
  }
}
