/**
 * Looks at the node again and again, decides what is captured and whose the addresses are, and has the pipeline follow.
 * Main thread.
 *
 * A pod that starts is found in the next pass, at most PASS_MS and what a pass takes later. Passes come more often
 * where they cost less, and hardly at all while no process is started on the node.
 */

import type { AddressDirectory } from '../discovery/addresses/directory.ts'
import { heldAddresses } from '../discovery/addresses/held.ts'
import { decide } from '../discovery/decide/decide.ts'
import type { Decisions, TargetRules } from '../discovery/decide/decision.ts'
import { type Joined, joinPods } from '../discovery/decide/join-pods.ts'
import type { KnownPod } from '../discovery/kubernetes/known-pod.ts'
import { QuietNode } from '../discovery/proc/idle-check.ts'
import type { NodeScanner } from '../discovery/proc/scanner.ts'
import type { Snapshot } from '../discovery/proc/snapshot.ts'
import { errorText } from '../errors.ts'
import type { Logger } from '../log/logger.ts'
import type { AddressEntry } from '../pair/endpoint-pod.ts'
import { threadCpuSeconds } from '../thread/cpu-time.ts'
import type { CaptureSet } from './capture-set.ts'

/** Pause between two passes: so many times as long as a pass takes, within bounds. Milliseconds. */
const PAUSE_SHARE = 100
const MIN_PAUSE_MS = 200
const MAX_PAUSE_MS = 1000
/** So soon after the API server told something, a pass is made or addresses are told. */
const NUDGE_MS = 50
const MICROS = 1000

export interface NodeDiscoveryOptions {
  readonly scanner: NodeScanner
  readonly rules: TargetRules
  /** What the API server knows of this node's pods by now. */
  readonly knownPods: () => readonly KnownPod[]
  readonly captures: Pick<CaptureSet, 'want'>
  readonly directory: AddressDirectory
  readonly setAddresses: (entries: readonly AddressEntry[]) => void
  /** What is on the node, how it is called, or what is captured of it has changed. */
  readonly onChange: () => void
  readonly log: Pick<Logger, 'info' | 'warn'>
}

/** Passes so far, and what the last one found. */
export interface PassTally {
  readonly scans: number
  readonly failures: number
  /** What all of them took together, and the last one. Milliseconds. */
  readonly ms: number
  readonly lastMs: number
  /** CPU time that all of them took. */
  readonly cpuSeconds: number
  /** When the last one ended. Milliseconds, monotonic. */
  readonly lastAt: number
}

export class NodeDiscovery {
  readonly #options: NodeDiscoveryOptions
  readonly #quiet: QuietNode
  #rules: TargetRules
  #snapshot: Snapshot | null = null
  #joined: Joined | null = null
  #decisions: Decisions = { pods: [], targets: [] }
  #tally: PassTally = { scans: 0, failures: 0, ms: 0, lastMs: 0, cpuSeconds: 0, lastAt: 0 }
  #timer: NodeJS.Timeout | null = null
  #telling: NodeJS.Timeout | null = null
  #running = false
  /** Something beside the processes has changed since the last pass. */
  #isStale = true

  constructor(options: NodeDiscoveryOptions) {
    this.#options = options
    this.#rules = options.rules
    this.#quiet = new QuietNode(options.rules.procRoot)
  }

  get tally(): PassTally {
    return this.#tally
  }

  get snapshot(): Snapshot | null {
    return this.#snapshot
  }

  /** By the last pass. */
  get decisions(): Decisions {
    return this.#decisions
  }

  /** Makes passes from now on. */
  start(): void {
    this.#running = true
    this.#turn()
  }

  /** No pass is made any more. */
  stop(): void {
    this.#running = false
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#telling !== null) clearTimeout(this.#telling)
  }

  /** Other rules from the next pass on, which is made at once. */
  setRules(rules: TargetRules): void {
    this.#rules = rules
    this.nudge()
  }

  /** The API server told something: the next pass is made soon. */
  nudge(): void {
    if (this.#isStale) return
    this.#isStale = true
    if (this.#running) this.#schedule(NUDGE_MS)
  }

  /** Others have written to the directory: that is told soon, and needs no pass. */
  addressesChanged(): void {
    if (!this.#running || this.#telling !== null) return
    this.#telling = setTimeout(() => {
      this.#telling = null
      this.#tellAddresses()
    }, NUDGE_MS)
  }

  #turn(): void {
    if (this.#isStale || !this.#quiet.isQuiet(performance.now())) this.#pass()
    // Names first: a new pod's first pairs are to have them.
    this.#tellAddresses()
    this.#options.captures.want(this.#decisions.targets)
    const pause = Math.min(Math.max(this.#tally.lastMs * PAUSE_SHARE, MIN_PAUSE_MS), MAX_PAUSE_MS)
    this.#schedule(pause)
  }

  #schedule(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#turn(), ms)
  }

  #pass(): void {
    const began = performance.now()
    const cpuBegan = threadCpuSeconds() ?? 0
    let failures = 0
    try {
      this.#decide(this.#options.scanner.scan())
    } catch (error) {
      failures = 1
      this.#options.log.warn('this pass over the node’s processes failed; what was known goes on', {
        error: errorText(error),
      })
    }
    this.#isStale = false
    const now = performance.now()
    if (this.#snapshot !== null) this.#quiet.passed(this.#snapshot, now)
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

  /** Where pods, names and rules are as they were, so is everything that follows from them. */
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

  #tellAddresses(): void {
    const changes = this.#options.directory.takeChanges(Date.now() * MICROS)
    if (changes.length > 0) this.#options.setAddresses(changes)
  }
}

const sameNode = (left: Snapshot, right: Snapshot): boolean =>
  left.host === right.host &&
  left.ambient === right.ambient &&
  left.pods.length === right.pods.length &&
  left.pods.every((pod, index) => pod === right.pods[index])
