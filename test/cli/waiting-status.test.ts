import assert from 'node:assert/strict'
import { test } from 'node:test'
import { progressLine } from '../../src/cli/progress-line.ts'
import { WaitingStatus } from '../../src/cli/waiting-status.ts'
import { ASSEMBLE_COUNTERS } from '../../src/ledger/counters.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { InterfaceObservation } from '../../src/ledger/observation.ts'
import { allocateTraffic, TrafficBlock } from '../../src/ledger/traffic.ts'
import { podInterface } from '../admin/agent-state.ts'

const ledgerOf = (frames: number, kept = 0): Ledger => ({
  frames: { seen: frames },
  flows: { seen: 3, protocol: { tls: 2, http2: 1, other: 0 } },
  pairs: { kept, filtered: { contentType: 1 } },
})

const SEEN = 'no pairs yet; 1 pair filtered (contentType 1); 3 connections seen (2 TLS, 1 HTTP/2)'
const NOTHING = 'no pairs yet; 1 pair filtered (contentType 1); no frames were seen'

function rig(onTerminal: boolean, interfaces: (() => InterfaceObservation[]) | null = null) {
  const written: string[] = []
  let [time, ledger] = [0, ledgerOf(0)]
  const write = (text: string): number => written.push(text)
  const now = (): number => time
  const line = onTerminal ? progressLine({ write, columns: 100, now }) : null
  const status = new WaitingStatus({ ledger: () => ledger, interfaces, line, write, now })
  const at = (ms: number, next = ledger): boolean => {
    time = ms
    ledger = next
    return status.update()
  }
  return { written, at }
}

test('WaitingStatus: redraws a line on a terminal and clears it at the first pair', () => {
  const { written, at } = rig(true)
  assert.ok(at(600))
  assert.ok(at(1200, ledgerOf(10)))
  assert.ok(!at(1800, ledgerOf(20, 1)))
  assert.ok(!at(2400))
  assert.deepEqual(written, [`\r\x1b[2K${NOTHING}\r`, `\r\x1b[2K${SEEN}\r`, '\r\x1b[2K'])
})

test('WaitingStatus: prints changes at growing intervals without a terminal', () => {
  const { written, at } = rig(false)
  at(4900)
  assert.deepEqual(written, [])
  at(5500)
  assert.deepEqual(written, [`${NOTHING}\n`])
  at(14_000, ledgerOf(10))
  assert.equal(written.length, 1)
  at(16_000)
  at(40_000)
  assert.deepEqual(written.slice(1), [`${SEEN}\n`])
  assert.ok(!at(41_000, ledgerOf(20, 1)))
  assert.equal(written.length, 2)
})

test('WaitingStatus: reports what each interface shows where it is asked to', () => {
  const traffic = [allocateTraffic()]
  const { counts, serverNames } = new TrafficBlock(traffic[0])
  counts[ASSEMBLE_COUNTERS.index.flowsSeen] = 2
  counts[ASSEMBLE_COUNTERS.index.protocolTls] = 2
  serverNames.add(Buffer.from('api.example.com'), 0, 15)
  const seen = { ...podInterface(1, '', { 'frames.seen': 9 }), traffic }
  const { written, at } = rig(false, () => [seen, { ...podInterface(1, ''), name: 'eth\x1b1' }])
  at(5500)
  const first = 'eth0: 2 connections, all TLS to api.example.com: plaintext is not on eth0'
  const second = 'eth\\x1b1: no frames on eth\\x1b1: nothing is sent there, or the traffic uses another interface'
  assert.deepEqual(written, [`no pairs yet; ${first}; ${second}\n`])
})
