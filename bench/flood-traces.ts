/**
 * Floods of state that an assembler has to keep, each together with a trickle of good exchanges. A flood contains no
 * complete exchange, so all pairs that are found are good ones.
 */
import { Connection } from './traffic/connection.ts'
import { Random } from './traffic/random.ts'
import { type TraceWriter, writeTrace } from './traffic/trace-writer.ts'
import { Trickle } from './traffic/trickle.ts'

const SEED = 4711
/** Good exchanges beside each flood, about. */
const GOOD = 20_000
/** Bytes that a connection of a flood sends in a turn. */
const TURN_BYTES = 8 * 1448
const HALF_HEAD = Buffer.from('POST /flood HTTP/1.1\r\nHost: flood.example.com\r\nUser-Agent: f')
const REQUEST = Buffer.from('GET /flood HTTP/1.1\r\nHost: flood.example.com\r\n\r\n')

export interface Flood {
  name: string
  /** Part of the good pairs that has to be found. */
  goal: number
  connections: number
  /** Turns of each connection after its first. */
  turns: number
  /** The handshake stops after the client's SYN. */
  halfOpen?: boolean
  /** What a connection sends when it is opened, and then in each turn. */
  opens: (connection: Connection) => void
  turn: (connection: Connection) => void
  /** Good exchanges after the flood has stopped, while its connections stay open. */
  after: number
}

const upload = (bytes: number): Buffer =>
  Buffer.from(`POST /flood HTTP/1.1\r\nHost: flood.example.com\r\nContent-Length: ${bytes}\r\n\r\n`)
const download = (bytes: number): Buffer =>
  Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`)
const bytes = (count: number): Buffer => Buffer.alloc(count, 'x')

const TURN = bytes(TURN_BYTES)
const ONE = bytes(1)
const OTHER = Buffer.alloc(TURN_BYTES, 'y')
const HEADER_LINE = Buffer.from(`X-Slow: ${'s'.repeat(100)}\r\n`)
const SHORT = bytes(200)

export const FLOODS: readonly Flood[] = [
  {
    name: '200,000 half-open connections',
    goal: 0.95,
    connections: 200_000,
    turns: 0,
    halfOpen: true,
    opens: () => {},
    turn: () => {},
    after: 0,
  },
  {
    name: '100,000 idle connections',
    goal: 0.95,
    connections: 100_000,
    turns: 0,
    opens: () => {},
    turn: () => {},
    after: 0,
  },
  {
    name: '100,000 requests without a response',
    goal: 0.95,
    connections: 100_000,
    turns: 0,
    opens: (connection) => connection.send('client', REQUEST, 0),
    turn: () => {},
    after: 0,
  },
  {
    name: '20,000 heads that grow by a line at a time',
    goal: 0.95,
    connections: 20_000,
    turns: 15,
    opens: (connection) => connection.send('client', HALF_HEAD, 0),
    turn: (connection) => connection.send('client', HEADER_LINE, 0),
    after: 0,
  },
  {
    name: '2,000 uploads whose segments overlap',
    goal: 0.95,
    connections: 2000,
    turns: 8,
    opens: (connection) => connection.send('client', upload(900_000), 0),
    turn: (connection) => {
      connection.lose('client', 1)
      connection.send('client', TURN, 0)
      // The same position again, with other bytes.
      connection.lose('client', -TURN_BYTES / 2)
      connection.send('client', OTHER, 0)
    },
    after: 0,
  },
  {
    name: '200,000 connections, each with half a head',
    goal: 0.95,
    connections: 200_000,
    turns: 0,
    opens: (connection) => connection.send('client', HALF_HEAD, 0),
    turn: () => {},
    after: 0,
  },
  {
    name: '100,000 connections, each with a body in progress',
    goal: 0.95,
    connections: 100_000,
    turns: 1,
    opens: (connection) => {
      connection.send('client', REQUEST, 0)
      connection.send('server', download(100_000), 0)
    },
    turn: (connection) => connection.send('server', SHORT, 0),
    after: 0,
  },
  {
    name: '10,000 uploads over the limit',
    goal: 0.95,
    connections: 10_000,
    turns: 10,
    opens: (connection) => connection.send('client', upload(2 ** 21), 0),
    turn: (connection) => connection.send('client', TURN, 0),
    after: 0,
  },
  {
    name: '1,000 bodies of 900 KB at the same time',
    goal: 0.95,
    connections: 1000,
    turns: 79,
    opens: (connection) => {
      connection.send('client', REQUEST, 0)
      connection.send('server', download(80 * TURN_BYTES), 0)
    },
    turn: (connection) => connection.send('server', TURN, 0),
    after: 0,
  },
  {
    name: '1,000 uploads that stop after 200 KB',
    goal: 0.95,
    connections: 1000,
    turns: 18,
    opens: (connection) => connection.send('client', upload(900_000), 0),
    turn: (connection) => connection.send('client', TURN, 0),
    after: GOOD,
  },
  {
    name: '5,000 connections with 80 one-byte segments behind a hole',
    goal: 0.999,
    connections: 5000,
    turns: 80,
    opens: (connection) => connection.lose('client', 1),
    turn: (connection) => connection.send('client', ONE, 0),
    after: 0,
  },
]

/** Writes a capture of the flood. @returns the number of good pairs in it */
export function writeFlood(path: string, flood: Flood): number {
  const random = new Random(SEED)
  let good = 0
  writeTrace(path, random, (writer) => {
    good = send(writer, random, flood)
  })
  return good
}

function send(writer: TraceWriter, random: Random, flood: Flood): number {
  const { connections, turns, halfOpen, opens, turn, after } = flood
  const trickle = new Trickle(writer, random, Math.max(1, Math.floor((connections * (turns + 1)) / GOOD)))
  const opened = Array.from({ length: connections }, (_, i) => {
    const connection = new Connection(writer, random, i, halfOpen)
    opens(connection)
    trickle.step()
    return connection
  })
  for (let k = 0; k < turns; k++) {
    for (const connection of opened) {
      turn(connection)
      trickle.step()
    }
  }
  for (const end = trickle.pairs + after; trickle.pairs < end; ) trickle.step()
  trickle.end()
  return trickle.pairs
}
