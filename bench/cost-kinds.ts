/**
 * Kinds of traffic with specific costs in the parse stage: many connections, reordering, filtered pairs, and protocols
 * other than HTTP. Most of it is generated while it is read, so that no file is needed.
 */
import type { AssemblerOptions } from '../src/assemble/assembler-options.ts'
import { defaultConfig } from '../src/config/load.ts'
import { OpaqueMarks } from '../src/ring/opaque-marks.ts'
import { type ParsePass, ParseStage } from './parse-pass.ts'
import { makeTrace, writeApi, writeTls } from './traces.ts'
import { Connection } from './traffic/connection.ts'
import { Random } from './traffic/random.ts'
import { TraceWriter } from './traffic/trace-writer.ts'

const SEED = 31337
/** Pairs of api traffic. */
const API_PAIRS = 40_000
const IDLE_CONNECTIONS = 1_000_000
const MANY_CONNECTIONS = 200_000
const FEW_CONNECTIONS = 200
/** Exchanges over all connections, in random order. */
const EXCHANGES = 400_000
/** Records of each TLS connection. */
const TLS_RECORDS = 200

const REQUEST = Buffer.from('GET /items HTTP/1.1\r\nHost: items\r\n\r\n')
const RESPONSE = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"items":[1, 2]}',
)

class Traffic {
  readonly stage: ParseStage
  readonly random = new Random(SEED)
  readonly writer: TraceWriter

  constructor(options: Partial<AssemblerOptions> = {}, marks: OpaqueMarks | null = null) {
    this.stage = new ParseStage(options, null, marks)
    this.writer = new TraceWriter((bytes) => this.stage.push(bytes), this.random)
  }

  open(number: number): Connection {
    return new Connection(this.writer, this.random, number)
  }

  /** Passes on what is buffered. @returns what was counted since the last call */
  counted(): ParsePass {
    this.writer.flush()
    const { counted } = this.stage
    this.stage.restart()
    return counted
  }
}

function exchange(connection: Connection): void {
  connection.send('client', REQUEST, 0)
  connection.send('server', RESPONSE, 0)
}

/** Connections that have had an exchange, and nothing after it. */
function idle(): ParsePass {
  const traffic = new Traffic({ flows: IDLE_CONNECTIONS })
  for (let i = 0; i < IDLE_CONNECTIONS; i++) exchange(traffic.open(i))
  return traffic.counted()
}

/** Exchanges over open connections, in random order; opening them is not counted. */
function exchanges(count: number): ParsePass {
  const traffic = new Traffic({ flows: count })
  const connections = Array.from({ length: count }, (_, i) => traffic.open(i))
  for (const connection of connections) exchange(connection)
  for (let i = 0; i < EXCHANGES >> 1; i++) exchange(traffic.random.pick(connections))
  traffic.counted()
  for (let i = 0; i < EXCHANGES; i++) exchange(traffic.random.pick(connections))
  return traffic.counted()
}

/** @param reordered share of messages of several segments of which two change places */
function api(options: Partial<AssemblerOptions>, reordered: number): ParsePass {
  const traffic = new Traffic(options)
  writeApi(traffic.writer, traffic.random, API_PAIRS, reordered)
  return traffic.counted()
}

/** Large downloads over TLS in a file, with the system calls that read it: they are most of the cost. */
function tls(): ParsePass {
  const stage = new ParseStage()
  stage.read(makeTrace('tls', TLS_RECORDS).path)
  return stage.counted
}

/** The same through a ring, with the marks of live capture: once a connection is marked, the headers alone are in the ring. */
function tlsLive(): ParsePass {
  const traffic = new Traffic({}, new OpaqueMarks(OpaqueMarks.allocate()))
  writeTls(traffic.writer, traffic.random, TLS_RECORDS)
  return traffic.counted()
}

const { filter } = defaultConfig()

export const COST_KINDS = {
  idle,
  many: () => exchanges(MANY_CONNECTIONS),
  few: () => exchanges(FEW_CONNECTIONS),
  kept: () => api({}, 0),
  reordered: () => api({}, 1),
  /** Filtered by the request's head. */
  byRequest: () => api({ everything: false, filter: { ...filter, requestHeaders: ['X-Request-Id'] } }, 0),
  /** Filtered by the response's head, once the request is stored. */
  byResponse: () => api({ everything: false, filter: { ...filter, statuses: ['2xx', '4xx'] } }, 0),
  tls,
  tlsLive,
} as const

export type CostKind = keyof typeof COST_KINDS

export const isCostKind = (text: string | undefined): text is CostKind => text !== undefined && text in COST_KINDS
