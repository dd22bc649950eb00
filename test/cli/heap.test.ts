/** Captures with more connections and requests than fit into the chart's heap. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { PROGRAM } from '../../rig/root.ts'
import { count, type Ledger } from '../../src/ledger/ledger.ts'
import { numbered, request } from '../support/http-script.ts'
import { encodeFrames, pcapOf } from '../support/tcp-frames.ts'
import { type Segment, TcpScript } from '../support/tcp-script.ts'

const folder = mkdtempSync(join(tmpdir(), 'heap-'))
after(() => rmSync(folder, { recursive: true }))

const CONNECTIONS = 100_000
const FILE_HEADER = 24
/** In a record of a pcap file: the last two bytes of the source and of the target, and the ports. */
const [SOURCE, TARGET, SOURCE_PORT, TARGET_PORT] = [44, 48, 50, 52]

/** A capture of the same conversation from `CONNECTIONS` client ports. */
function captureOf(name: string, segments: readonly Segment[]): string {
  const path = join(folder, name)
  const pcap = pcapOf(encodeFrames(segments))
  const records = pcap.subarray(FILE_HEADER)
  const places: { address: number; port: number }[] = []
  for (let at = 0, i = 0; at < records.length; at += 16 + records.readUInt32LE(at + 8), i++) {
    const isClient = segments[i].fromClient
    places.push({ address: at + (isClient ? SOURCE : TARGET), port: at + (isClient ? SOURCE_PORT : TARGET_PORT) })
  }
  const file = openSync(path, 'w')
  writeSync(file, pcap, 0, FILE_HEADER)
  const batch: Buffer[] = []
  for (let i = 0; i < CONNECTIONS; i++) {
    for (const { address, port } of places) {
      records.writeUInt16BE(1 + (i >> 15), address)
      records.writeUInt16BE(1 + (i & 0x7fff), port)
    }
    batch.push(Buffer.from(records))
    if (batch.length === 1000) writeSync(file, Buffer.concat(batch.splice(0)))
  }
  closeSync(file)
  return path
}

/** Reads a capture with the heap that the chart gives the agent. @throws unless the exit code is 0 */
function read(path: string): Ledger {
  const summary = `${path}.json`
  const env = { ...process.env, NODE_OPTIONS: '--max-old-space-size=102' }
  execFileSync(process.execPath, [PROGRAM, 'read', '-q', '--all', '-o', 'none', '--summary', summary, path], { env })
  return JSON.parse(readFileSync(summary, 'utf8'))
}

test('heap: of 100,000 open connections, each yields its pair and none is evicted', () => {
  const script = new TcpScript().handshake().client(request('/0')).server(numbered(0))
  const ledger = read(captureOf('idle.pcap', script.segments))
  assert.equal(count(ledger, 'pairs.shipped'), CONNECTIONS)
  assert.equal(count(ledger, 'flows.closed.crash'), 0)
  assert.equal(count(ledger, 'flows.closed.evicted'), 0)
})

test('heap: of 200,000 unanswered requests, those that do not fit are evicted', () => {
  const script = new TcpScript().handshake().client(request('/0').repeat(2))
  const ledger = read(captureOf('unanswered.pcap', script.segments))
  assert.equal(count(ledger, 'messages.requests'), 2 * CONNECTIONS)
  assert.equal(count(ledger, 'requests.abandoned.crash'), 0)
  assert.ok(count(ledger, 'requests.abandoned.evicted') > 0)
})
