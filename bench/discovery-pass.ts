/**
 * Passes over this node's processes, warm ones after a cold one. Needs SYS_PTRACE.
 *
 *     node dist/bench/discovery-pass.js    one JSON line
 */
import { setTimeout as pause } from 'node:timers/promises'
import { QuietNode } from '../src/discovery/quiet.ts'
import { NodeScanner } from '../src/discovery/scanner.ts'
import type { DiscoverySample } from './discovery.ts'

const WARM_UP = 10
const PASSES = 50
const PROC = '/proc'
/** Younger processes are read anew in each pass. */
const YOUNG_MILLIS = 10_000

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
quiet.passed(snapshot, performance.now())
const quietMillis = Array.from({ length: PASSES }, () => cpuMillisOf(() => quiet.isQuiet(performance.now())))
const sample: DiscoverySample = {
  processes: snapshot.processes,
  pods: snapshot.pods.length,
  firstMillis,
  passMillis,
  quietMillis,
}
process.stdout.write(`${JSON.stringify(sample)}\n`)
