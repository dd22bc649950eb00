/**
 * Floods in a program limited to 256 MiB, divided as by the chart: no out-of-memory kill, nearly all good pairs during
 * the flood, and all of them after it.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { FLOODS, type Flood, writeFlood } from '../../bench/flood-traces.ts'
import { runProgram } from '../../bench/measure.ts'
import { memoryGroup } from '../../rig/cgroup-mount.ts'
import { PROGRAM } from '../../rig/root.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { assertLaws } from '../support/ledger.ts'

const MIB = 2 ** 20
const LIMIT_BYTES = 256 * MIB
/** Settings that the chart derives from that limit. */
const HEAP = '--max-old-space-size=64'
const SETTINGS = ['limits.memory=128MiB', 'ship.bufferBytes=32MiB'].flatMap((setting) => ['--set', setting])
/** Good exchanges after each flood, while its connections stay open. */
const AFTER = 1_000
/** Connections of the largest floods, which fill the memory several times. */
const LEAST: Readonly<Record<string, Partial<Flood>>> = {
  '10,000 uploads over the limit': { turns: 2 },
  '1,000 bodies of 900 KB at the same time': { connections: 300 },
  '1,000 uploads that stop after 200 KB': { connections: 700 },
}

const BOMB = gzipSync(Buffer.alloc(16 * MIB))
const RESPONSE_HEAD = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${BOMB.length}\r\n\r\n`
/** Complete exchanges whose bodies the output tries to decode. */
const BOMBS: Flood = {
  name: '1,000 gzip bombs of 16 MiB',
  goal: 0.95,
  connections: 1_000,
  turns: 1,
  opens: (connection) => connection.send('client', Buffer.from('GET /flood HTTP/1.1\r\nHost: flood\r\n\r\n'), 0),
  turn: (connection) => connection.send('server', Buffer.concat([Buffer.from(RESPONSE_HEAD), BOMB]), 0),
  after: AFTER,
}

/** Three times as many connections as `limits.flows`, each with a property that needs an additional record. */
const rare = (name: string, opens: Flood['opens']): Flood => ({
  name: `300,000 connections, each with ${name}`,
  goal: 0.999,
  connections: 300_000,
  turns: 0,
  opens,
  turn: () => {},
  after: AFTER,
})
const sends =
  (...messages: string[]): Flood['opens'] =>
  (connection) => {
    for (const message of messages) connection.send('client', Buffer.from(message, 'latin1'), 0)
  }
const RARE: readonly Flood[] = [
  rare('a segment behind a hole', (connection) => {
    connection.lose('client', 1)
    connection.send('client', Buffer.from('x'), 0)
  }),
  rare('the head of the PROXY protocol', sends('PROXY TCP4 203.0.113.9 192.0.2.1 51234 80\r\n')),
  rare('half a head of the PROXY protocol', sends('PROXY TCP6 2001:db8::1')),
  rare('a pair that waits for a confirmation', (connection) => {
    connection.send('client', Buffer.from('GET /flood HTTP/1.1\r\nHost: flood\r\n\r\n'), 0)
    connection.send('server', Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n'), 0)
    connection.send('client', Buffer.from('GET'), 0)
    connection.send('server', Buffer.alloc(600, 'x'), 0)
  }),
  rare('half a SOCKS handshake', sends(`\x05\xff${'m'.repeat(200)}`)),
]

/** @returns a command prefix that runs a program in a control group with the limit, if this machine permits one */
function limited(t: TestContext): string[] {
  const group = memoryGroup(`interceptor-floods-${process.pid}`)
  if (group === null) return []
  mkdirSync(group.path)
  t.after(() => rmdirSync(group.path))
  writeFileSync(join(group.path, group.limitFile), String(LIMIT_BYTES))
  return ['sh', '-c', `echo $$ >${group.path}/cgroup.procs; exec "$@"`, 'sh']
}

/** Numbers of the good pairs in an output of one JSON object per line. */
const goodPairs = (output: string): Set<number> =>
  new Set(Array.from(output.matchAll(/"target":"\/good\/(\d+)"/g), ([, number]) => Number(number)))

for (const flood of [...FLOODS, BOMBS, ...RARE].map((flood) => ({ ...flood, ...LEAST[flood.name], after: AFTER }))) {
  test(`floods: in 256 MiB: ${flood.name}`, { timeout: 120_000 }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'interceptor-floods-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const [trace, summary] = [join(folder, 'flood.pcap'), join(folder, 'summary.json')]
    const good = writeFlood(trace, flood)
    const read = ['read', '-q', '-o', 'ndjson', '--all', ...SETTINGS, '--summary', summary, trace]
    const [program, ...args] = [...limited(t), process.execPath, HEAP, PROGRAM, ...read]
    // Throws unless the exit code is 0, which it is not after an out-of-memory kill.
    const { stdout, peakRssMiB, wallMs } = await runProgram([program, ...args])
    const found = goodPairs(stdout)
    assertLaws(JSON.parse(readFileSync(summary, 'utf8')) as Ledger)
    const during = [...found].filter((number) => number < good - AFTER).length
    const share = during / (good - AFTER)
    t.diagnostic(`${(100 * share).toFixed(2)} % of ${good - AFTER}, ${peakRssMiB} MiB, ${Math.round(wallMs)} ms`)
    assert.ok(share >= flood.goal, `${during} of ${good - AFTER} good pairs during the flood`)
    assert.equal(found.size - during, AFTER, 'good pairs after the flood')
    assert.ok(peakRssMiB * MIB <= LIMIT_BYTES, `${peakRssMiB} MiB`)
  })
}
