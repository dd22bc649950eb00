/**
 * The traces of all measurements, written once into bench/traces and the same in every run.
 *
 * - `api`: large heads, POST, chunked, messages of several segments, 1 % of those out of order, reconnects; 200
 *   connections at once, over 4 frames and 2.5 KB a pair.
 * - `small`: one short GET and one JSON response of 1.2 KB, each in one segment, 17 kept-alive connections; 2 frames a
 *   pair. An easy trace: quote it only beside the other one.
 * - `tls`: downloads over 100 TLS connections, two full frames and an acknowledgement at a time; no pairs.
 */
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { apiAgent, apiRequest, apiResponse } from './traffic/api-messages.ts'
import { Connection } from './traffic/connection.ts'
import { Random } from './traffic/random.ts'
import { type TraceWriter, writeTrace } from './traffic/trace-writer.ts'

/** bench/traces of the checkout, from dist/bench. */
const FOLDER = join(import.meta.dirname, '..', '..', 'bench', 'traces')
const SEED = 12345

const API_CONNECTIONS = 200
const API_REORDERED = 0.1
/** Exchanges after which a connection is closed and another one opened, at most. */
const API_EXCHANGES = 40

const SMALL_CONNECTIONS = 17

const TLS_CONNECTIONS = 100
/** Payload of a full record of application data (RFC 8446 §5.1). */
const TLS_RECORD_BYTES = 16_384

export type TraceName = 'small' | 'api' | 'tls'

export interface Trace {
  name: string
  path: string
  /** Request and response pairs in it; null when unknown. */
  pairs: number | null
  bytes: number
}

const WRITERS: Record<TraceName, (writer: TraceWriter, random: Random, count: number) => void> = {
  small: writeSmall,
  api: writeApi,
  tls: writeTls,
}

/** The trace of that name, written when it is not there yet. @param count pairs; of `tls` records of each connection */
export function makeTrace(name: TraceName, count: number): Trace {
  const path = join(FOLDER, `${name}-${count}.pcap`)
  if (!existsSync(path)) {
    mkdirSync(FOLDER, { recursive: true })
    const unfinished = `${path}.${process.pid}`
    const random = new Random(SEED)
    writeTrace(unfinished, random, (writer) => WRITERS[name](writer, random, count))
    renameSync(unfinished, path)
  }
  return { name, path, pairs: name === 'tls' ? 0 : count, bytes: statSync(path).size }
}

/** A capture file given by the user. */
export function givenTrace(path: string): Trace {
  return { name: path, path, pairs: null, bytes: statSync(path).size }
}

interface Client {
  connection: Connection
  agent: string
  /** Exchanges before it reconnects. */
  left: number
}

/** @param reordered share of messages of several segments of which two change places */
export function writeApi(writer: TraceWriter, random: Random, pairs: number, reordered = API_REORDERED): void {
  let opened = 0
  const connect = (): Client => ({
    connection: new Connection(writer, random, opened++),
    agent: apiAgent(random),
    left: 1 + random.below(API_EXCHANGES),
  })
  const clients = Array.from({ length: API_CONNECTIONS }, connect)
  for (let done = 0; done < pairs; ) {
    // A burst of requests, then their responses: connections interleave.
    const burst = [...new Set(Array.from({ length: 64 }, () => random.below(clients.length)))].slice(0, pairs - done)
    for (const i of burst) {
      const { connection, agent } = clients[i]
      connection.send('client', apiRequest(random, agent), reordered)
    }
    for (const i of burst) {
      const client = clients[i]
      client.connection.send('server', apiResponse(random), reordered)
      client.connection.acknowledge()
      if (--client.left > 0) continue
      client.connection.close()
      clients[i] = connect()
    }
    done += burst.length
  }
  for (const { connection } of clients) connection.close()
}

function writeSmall(writer: TraceWriter, random: Random, pairs: number): void {
  const request = Buffer.from('GET /items HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n')
  const body = JSON.stringify({ items: 'x'.repeat(1008) })
  const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 23 Nov 2026 04:12:09 GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: ${body.length}\r\n\r\n`
  const response = Buffer.from(head + body)
  const connections = Array.from({ length: SMALL_CONNECTIONS }, (_, i) => new Connection(writer, random, i))
  for (let done = 0; done < pairs; ) {
    const burst = connections.slice(0, Math.min(connections.length, pairs - done))
    for (const connection of burst) connection.send('client', request, 0)
    for (const connection of burst) connection.send('server', response, 0)
    done += burst.length
  }
  for (const connection of connections) connection.close()
}

/** A ClientHello on each connection, then records from the server in turn. */
export function writeTls(writer: TraceWriter, random: Random, records: number): void {
  const hello = Buffer.concat([Buffer.from('160301020001000001fc0303', 'hex'), Buffer.alloc(505)])
  const record = Buffer.concat([Buffer.from('1703034000', 'hex'), Buffer.alloc(TLS_RECORD_BYTES)])
  const connections = Array.from({ length: TLS_CONNECTIONS }, (_, i) => new Connection(writer, random, i))
  for (const connection of connections) connection.send('client', hello, 0)
  for (let i = 0; i < records; i++) for (const connection of connections) connection.send('server', record, 0)
}
