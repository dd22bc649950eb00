/** Creates clients of kafkajs that can be closed at once, and that report how far they got. */
import { Socket } from 'node:net'
import { type ISocketFactory, Kafka, type KafkaConfig } from 'kafkajs'
import { ClientClosedError } from './errors.ts'
import { deliverFrames, repairKafkajs } from './kafkajs-repairs.ts'

/** How far a client got: it established a connection (with TLS: a secure one), or it read a response. */
export type Reached = 'nothing' | 'connection' | 'response'

/** A client of kafkajs whose connections can be closed at once. */
export interface Client {
  readonly kafka: Kafka
  readonly reached: Reached
  /**
   * Ends every connection, also those being established, whereas kafkajs's own methods wait for responses. The client
   * is unusable afterwards.
   */
  close(): void
}

export interface Connecting {
  /** Opens the client's connections. */
  openSocket: ISocketFactory
  /** Largest response a broker may send. */
  maxResponseBytes: number
  /** Called when a connection ends because of bytes that are no valid response. */
  onBadResponse(error: Error): void
}

/** @param config as kafkajs documents it */
export function createClient(config: KafkaConfig, connecting: Connecting): Client {
  const { openSocket, maxResponseBytes, onBadResponse } = connecting
  repairKafkajs()
  const sockets = new Set<Socket>()
  let closed = false
  let reached: Reached = 'nothing'
  // Only on an error does kafkajs reject the requests in flight and stop its timers.
  const end = (socket: Socket): Socket => socket.destroy(new ClientClosedError())
  const socketFactory: ISocketFactory = (where) => {
    const onConnect = (): void => {
      if (reached === 'nothing') reached = 'connection'
      where.onConnect()
    }
    // kafkajs connects again at once after a failure, also with a client that is closed.
    const socket = closed ? new Socket() : openSocket({ ...where, onConnect })
    const onFrame = (): void => {
      reached = 'response'
    }
    deliverFrames(socket, { maxFrameBytes: maxResponseBytes, onFrame, onBadResponse })
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    if (closed) setImmediate(end, socket)
    return socket
  }
  return {
    kafka: new Kafka({ ...config, socketFactory }),
    get reached() {
      return reached
    },
    close() {
      closed = true
      for (const socket of sockets) end(socket)
    },
  }
}
