/** Segments at any offset of either stream of one connection, in any order. */
import { ACK, type Segment, START_MICROS, SYN, TcpScript, toBytes } from '../../support/tcp-script.ts'

export const CLIENT_ISN = 1000
export const SERVER_ISN = 5000

let clock = START_MICROS

/** Segments created after this call are captured after `micros`. */
export const continueAt = (micros: number): void => {
  clock = micros
}

interface Parts {
  /** Bytes of the other stream that the segment acknowledges. */
  acks?: number
  flags?: number
  micros?: number
}

const next = (): number => {
  clock += 10
  return clock
}

/** `text` at byte `offset` of the client's stream. */
export function fromClient(
  offset: number,
  text: string,
  { acks = 0, flags = 0, micros = next() }: Parts = {},
): Segment {
  return {
    fromClient: true,
    seq: (CLIENT_ISN + 1 + offset) >>> 0,
    ack: (SERVER_ISN + 1 + acks) >>> 0,
    flags: ACK | flags,
    payload: toBytes(text),
    micros,
  }
}

/** `text` at byte `offset` of the server's stream. */
export function fromServer(
  offset: number,
  text: string,
  { acks = 0, flags = 0, micros = next() }: Parts = {},
): Segment {
  return {
    fromClient: false,
    seq: (SERVER_ISN + 1 + offset) >>> 0,
    ack: (CLIENT_ISN + 1 + acks) >>> 0,
    flags: ACK | flags,
    payload: toBytes(text),
    micros,
  }
}

export function handshake(): Segment[] {
  clock = START_MICROS
  return new TcpScript({ clientIsn: CLIENT_ISN, serverIsn: SERVER_ISN, startMicros: next() }).handshake().segments
}

/** The SYN alone, of a connection with these numbers. */
export const syn = (isn: number, micros = next()): Segment => ({
  fromClient: true,
  seq: isn >>> 0,
  ack: 0,
  flags: SYN,
  payload: new Uint8Array(0),
  micros,
})
