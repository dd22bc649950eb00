/**
 * A Kafka broker controlled by a test: it leads all partitions of one topic, and the test responds to each produce
 * request. It supports only the request versions that are needed here. https://kafka.apache.org/protocol#The_Messages
 */
import { createServer, type Server, type Socket } from 'node:net'
import { FrameReader } from '../../src/kafka/frame-reader.ts'

const NODE = 1
const PRODUCE = 0
const METADATA = 3
const API_VERSIONS = 18
/** The supported version of each request. */
const VERSIONS = [
  [PRODUCE, 7],
  [METADATA, 6],
  [API_VERSIONS, 2],
] as const
const MAX_BYTES = 1024 * 1024

const i8 = (value: number): Buffer => Buffer.from([value])
const i16 = (value: number): Buffer => Buffer.from(Int16Array.of(value).buffer).swap16()
const i32 = (value: number): Buffer => Buffer.from(Int32Array.of(value).buffer).swap32()
const text = (value: string): Buffer => Buffer.concat([i16(value.length), Buffer.from(value)])

/** A produce request that has no response yet. */
export interface HeldRequest {
  /** Of each partition its number and the bytes of its batch. */
  readonly batches: readonly (readonly [partition: number, batch: string])[]
  readonly acks: number
  /** @param codes of its partitions, in order; absent: 0 for all */
  respond(codes?: readonly number[]): void
}

export class ScriptedBroker {
  /** Leader of each partition. */
  leaders = [NODE, NODE]
  /** Whether the responses to these requests are sent twice, or have another correlation id; null: they are valid. */
  damage: { requests: 'all' | 'produce'; kind: 'twice' | 'otherId' } | null = null
  /** Requests without a response, in order of arrival. */
  readonly held: HeldRequest[] = []
  readonly #topic: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Number of connections so far. */
  connections = 0

  private constructor(topic: string) {
    this.#topic = topic
    this.#server = createServer((socket) => this.#serve(socket))
  }

  static async listen(topic: string): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker(topic)
    await new Promise<void>((resolve) => broker.#server.listen(0, '127.0.0.1', resolve))
    return broker
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Ends all connections without responding to held requests. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.held.length = 0
  }

  close(): void {
    this.drop()
    this.#server.close()
  }

  #serve(socket: Socket): void {
    const reader = new FrameReader(MAX_BYTES)
    this.connections += 1
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => {})
    socket.on('data', (bytes) => {
      for (const frame of reader.push(bytes)) this.#request(socket, frame.subarray(4))
    })
  }

  #request(socket: Socket, request: Buffer): void {
    const [key, correlationId] = [request.readInt16BE(0), request.readInt32BE(4)]
    const body = request.subarray(10 + request.readInt16BE(8))
    const send = (response: readonly Buffer[]): void => {
      const damage = this.damage?.requests === 'produce' && key !== PRODUCE ? null : this.damage
      const whole = Buffer.concat([i32(correlationId + (damage?.kind === 'otherId' ? 1000 : 0)), ...response])
      const frame = Buffer.concat([i32(whole.length), whole])
      if (!socket.destroyed) socket.write(damage?.kind === 'twice' ? Buffer.concat([frame, frame]) : frame)
    }
    if (key === API_VERSIONS) send(this.#versions())
    else if (key === METADATA) send(this.#metadata())
    else this.#hold(body, send)
  }

  #versions(): Buffer[] {
    const known = VERSIONS.flatMap(([key, version]) => [i16(key), i16(version), i16(version)])
    return [i16(0), i32(VERSIONS.length), ...known, i32(0)]
  }

  #metadata(): Buffer[] {
    const broker = [i32(NODE), text('127.0.0.1'), i32(this.port), i16(-1)]
    const partitions = this.leaders.flatMap((leader, id) => [i16(0), i32(id), i32(leader), i32(0), i32(0), i32(0)])
    const topic = [i16(0), text(this.#topic), i8(0), i32(this.leaders.length), ...partitions]
    return [i32(0), i32(1), ...broker, i16(-1), i32(NODE), i32(1), ...topic]
  }

  #hold(body: Buffer, send: (response: readonly Buffer[]) => void): void {
    // Fields after the transactional id: acks, timeout, one topic and its name.
    const acks = body.readInt16BE(2)
    let at = 12 + 2 + body.readInt16BE(12)
    const batches = Array.from({ length: body.readInt32BE(at) }, (): [number, string] => {
      const [partition, size] = [body.readInt32BE(at + 4), body.readInt32BE(at + 8)]
      const batch = body.toString('latin1', at + 12, at + 12 + size)
      at += 8 + size
      return [partition, batch]
    })
    if (acks === 0) return
    const respond = (codes: readonly number[] = []): void => {
      this.held.splice(this.held.indexOf(request), 1)
      const all = batches.flatMap(([partition], i) => [i32(partition), i16(codes[i] ?? 0), Buffer.alloc(24)])
      send([i32(1), text(this.#topic), i32(batches.length), ...all, i32(0)])
    }
    const request: HeldRequest = { batches, acks, respond }
    this.held.push(request)
  }
}
