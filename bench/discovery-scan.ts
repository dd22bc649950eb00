/**
 * Scans of this node's processes, warm ones after a cold one. Needs SYS_PTRACE.
 *
 *     node dist/bench/discovery-scan.js    one JSON line
 */
import { setTimeout as pause } from 'node:timers/promises'
import { IdleCheck } from '../src/discovery/proc/idle-check.ts'
import { NodeScanner } from '../src/discovery/proc/scanner.ts'
import type { DiscoverySample } from './discovery.ts'

const WARM_UP = 10
const PASSES = 50
const PROC = '/proc'
/** Younger processes are read anew in each scan. */
const YOUNG_MS = 10_000
/** On the clock of `isQuiet`: nothing has been started for that long, and no scan is due yet. */
const SETTLED_MS = 11_000

function cpuMsOf(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

const scanner = new NodeScanner(PROC)
const quiet = new IdleCheck(PROC)
const firstMs = cpuMsOf(() => scanner.scan())
await pause(YOUNG_MS)
for (let i = 0; i < WARM_UP; i++) scanner.scan()
const passMs = Array.from({ length: PASSES }, () => cpuMsOf(() => scanner.scan()))
const snapshot = scanner.scan()
quiet.isIdle(0)
quiet.recordScan(snapshot, SETTLED_MS)
let quietLooks = 0
const quietMs = Array.from({ length: PASSES }, () =>
  cpuMsOf(() => {
    if (quiet.isIdle(SETTLED_MS)) quietLooks += 1
  }),
)
if (quietLooks < PASSES) throw new Error('processes were started meanwhile: measure on a quiet machine')
const sample: DiscoverySample = {
  processes: snapshot.processes,
  pods: snapshot.pods.length,
  firstMs,
  passMs,
  quietMs,
}
process.stdout.write(`${JSON.stringify(sample)}\n`)
