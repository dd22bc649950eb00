/**
 * Passes over this node's processes, warm ones after a cold one. Needs SYS_PTRACE.
 *
 *     node dist/bench/discovery-pass.js    one JSON line
 */
import { setTimeout as pause } from 'node:timers/promises'
import { QuietNode } from '../src/discovery/proc/idle-check.ts'
import { NodeScanner } from '../src/discovery/proc/scanner.ts'
import type { DiscoverySample } from './discovery.ts'

const WARM_UP = 10
const PASSES = 50
const PROC = '/proc'
/** Younger processes are read anew in each pass. */
const YOUNG_MILLIS = 10_000
/** On the clock of `isQuiet`: nothing has been started for that long, and no pass is due yet. */
const SETTLED_MILLIS = 11_000

function cpuMillisOf(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

const scanner = new NodeScanner(PROC)
const quiet = new QuietNode(PROC)
const firstMillis = cpuMillisOf(() => scanner.scan())
await pause(YOUNG_MILLIS)
for (let i = 0; i < WARM_UP; i++) scanner.scan()
const passMillis = Array.from({ length: PASSES }, () => cpuMillisOf(() => scanner.scan()))
const snapshot = scanner.scan()
quiet.isQuiet(0)
quiet.passed(snapshot, SETTLED_MILLIS)
let quietLooks = 0
const quietMillis = Array.from({ length: PASSES }, () =>
  cpuMillisOf(() => {
    if (quiet.isQuiet(SETTLED_MILLIS)) quietLooks += 1
  }),
)
if (quietLooks < PASSES) throw new Error('processes were started meanwhile: measure on a quiet machine')
const sample: DiscoverySample = {
  processes: snapshot.processes,
  pods: snapshot.pods.length,
  firstMillis,
  passMillis,
  quietMillis,
}
process.stdout.write(`${JSON.stringify(sample)}\n`)
