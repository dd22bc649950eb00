/**
 * Scans the node repeatedly, decides what is captured and which pod holds which address, and applies both to the
 * pipeline. Main thread.
 *
 * A pod that starts is found by the next scan, which begins at most MAX_PAUSE_MS later. The pause is proportional to the
 * cost of a scan, and scans are skipped while no process is started on the node.
 */

import type { AddressDirectory } from '../discovery/addresses/directory.ts'
import { heldAddresses } from '../discovery/addresses/sources.ts'
import { decide } from '../discovery/decide/decide.ts'
import type { Decisions, TargetRules } from '../discovery/decide/decision.ts'
import { type Joined, joinPods } from '../discovery/decide/join-pods.ts'
import type { KnownPod } from '../discovery/kubernetes/known-pod.ts'
import { IdleCheck } from '../discovery/proc/idle-check.ts'
import type { NodeScanner } from '../discovery/proc/scanner.ts'
import type { Snapshot } from '../discovery/proc/snapshot.ts'
import { errorText } from '../errors.ts'
import type { Logger } from '../log/logger.ts'
import type { AddressEntry } from '../pair/endpoint-pod.ts'
import { ClockSteps } from '../thread/clock-steps.ts'
import { threadCpuSeconds } from '../thread/cpu-time.ts'
import type { CaptureSet } from './capture-set.ts'

/** The pause between two scans is this many times the duration of a scan, within bounds. Milliseconds. */
const PAUSE_FACTOR = 100
const MIN_PAUSE_MS = 200
const MAX_PAUSE_MS = 1000
/** Delay between a change reported by the API server and the scan, or the address update, that it causes. */
const SOON_MS = 50
/** Smaller steps of the system clock are within the slack with which an address is looked up. */
const MIN_STEP_MS = 1000
const MICROS = 1000

export interface NodeDiscoveryOptions {
  readonly scanner: NodeScanner
  readonly rules: TargetRules
  /** The API server's current pods of this node. */
  readonly knownPods: () => readonly KnownPod[]
  readonly captures: Pick<CaptureSet, 'want'>
  readonly directory: AddressDirectory
  readonly setAddresses: (entries: readonly AddressEntry[]) => void
  /** Called when the node's pods, their names, or the decisions about them have changed. */
  readonly onChange: () => void
  readonly log: Pick<Logger, 'info' | 'warn'>
}

/** Totals over all scans, and the last one's figures. */
export interface ScanTally {
  readonly scans: number
  readonly failures: number
  /** Duration of all scans, and of the last one. Milliseconds. */
  readonly ms: number
  readonly lastMs: number
  /** CPU time of all scans. */
  readonly cpuSeconds: number
  /** When the last one ended. Milliseconds, monotonic. */
  readonly lastAt: number
}

/** The polling loop. */
export class NodeDiscovery {
  readonly #options: NodeDiscoveryOptions
  readonly #idleCheck: IdleCheck
  readonly #clockSteps = new ClockSteps(MIN_STEP_MS)
  #rules: TargetRules
  #snapshot: Snapshot | null = null
  #joined: Joined | null = null
  #decisions: Decisions = { pods: [], targets: [] }
  #tally: ScanTally = { scans: 0, failures: 0, ms: 0, lastMs: 0, cpuSeconds: 0, lastAt: 0 }
  #timer: NodeJS.Timeout | null = null
  #addressTimer: NodeJS.Timeout | null = null
  #running = false
  /** Whether an input other than the processes has changed since the last scan. */
  #isStale = true

  constructor(options: NodeDiscoveryOptions) {
    this.#options = options
    this.#rules = options.rules
    this.#idleCheck = new IdleCheck(options.rules.procRoot)
  }

  get tally(): ScanTally {
    return this.#tally
  }

  get snapshot(): Snapshot | null {
    return this.#snapshot
  }

  /** Whether the last scan reflects everything that the API server has reported and all rules. */
  get isCurrent(): boolean {
    return this.#snapshot !== null && !this.#isStale
  }

  /** The decisions of the last scan. */
  get decisions(): Decisions {
    return this.#decisions
  }

  /** Starts polling with a first scan. */
  start(): void {
    this.#running = true
    this.#poll()
  }

  /** Stops polling. */
  stop(): void {
    this.#running = false
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#addressTimer !== null) clearTimeout(this.#addressTimer)
  }

  /** Replaces the rules, and scans with them soon. */
  setRules(rules: TargetRules): void {
    this.#rules = rules
    this.scanSoon()
  }

  /** Scans soon, because the API server has reported a change. */
  scanSoon(): void {
    if (this.#isStale) return
    this.#isStale = true
    if (this.#running) this.#schedule(SOON_MS)
  }

  /** Sends the directory's changes soon. They do not require a scan. */
  addressesChanged(): void {
    if (!this.#running || this.#addressTimer !== null) return
    this.#addressTimer = setTimeout(() => {
      this.#addressTimer = null
      this.#sendAddresses()
    }, SOON_MS)
  }

  #poll(): void {
    this.#followClock()
    if (this.#isStale || !this.#idleCheck.isIdle(performance.now())) this.#scan()
    // Addresses are sent before captures start, so that the first pairs of a new pod are named.
    this.#sendAddresses()
    this.#options.captures.want(this.#decisions.targets)
    const pause = Math.min(Math.max(this.#tally.lastMs * PAUSE_FACTOR, MIN_PAUSE_MS), MAX_PAUSE_MS)
    this.#schedule(pause)
  }

  /** Otherwise, after the clock was set back, no pod would have its name until the clock had caught up. */
  #followClock(): void {
    const stepMs = this.#clockSteps.next(Date.now(), performance.now())
    if (stepMs === 0) return
    if (stepMs < 0) this.#options.directory.shift(stepMs * MICROS)
    this.#options.log.info('the system clock was set', { stepSeconds: Math.round(stepMs / 1000) })
  }

  #schedule(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#poll(), ms)
  }

  #scan(): void {
    const began = performance.now()
    const cpuBegan = threadCpuSeconds() ?? 0
    let failures = 0
    try {
      this.#decide(this.#options.scanner.scan())
    } catch (error) {
      failures = 1
      this.#options.log.warn('a scan of the node’s processes failed; the last result stays in effect', {
        error: errorText(error),
      })
    }
    this.#isStale = false
    const now = performance.now()
    if (this.#snapshot !== null) this.#idleCheck.recordScan(this.#snapshot, now)
    const { scans, failures: failed, ms, cpuSeconds } = this.#tally
    this.#tally = {
      scans: scans + 1,
      failures: failed + failures,
      ms: ms + now - began,
      lastMs: now - began,
      cpuSeconds: cpuSeconds + Math.max(0, (threadCpuSeconds() ?? 0) - cpuBegan),
      lastAt: now,
    }
  }

  /** Decides again, unless pods, names and rules are unchanged. */
  #decide(snapshot: Snapshot): void {
    const before = this.#snapshot
    this.#snapshot = snapshot
    if (!this.#isStale && before !== null && sameNode(before, snapshot)) return
    this.#joined = joinPods(snapshot.pods, this.#options.knownPods(), this.#joined)
    this.#decisions = decide(snapshot, this.#joined, this.#rules)
    const nowMicros = Date.now() * MICROS
    this.#options.directory.holdAll(heldAddresses(snapshot, this.#joined, nowMicros), nowMicros)
    this.#options.onChange()
  }

  #sendAddresses(): void {
    const changes = this.#options.directory.drainChanges(Date.now() * MICROS)
    if (changes.length > 0) this.#options.setAddresses(changes)
  }
}

const sameNode = (left: Snapshot, right: Snapshot): boolean =>
  left.host === right.host &&
  left.ambient === right.ambient &&
  left.pods.length === right.pods.length &&
  left.pods.every((pod, index) => pod === right.pods[index])
