/**
 * Reports what a live capture sees while it has no pair to show: on a terminal in a line that is redrawn, otherwise in
 * lines at growing intervals. Main thread.
 */
import { advice } from '../admin/advice.ts'
import { interfaceTotals } from '../admin/interface-totals.ts'
import { safe } from '../format/terminal.ts'
import { count, type Ledger } from '../ledger/ledger.ts'
import type { InterfaceObservation } from '../ledger/observation.ts'
import type { ProgressLine } from './progress-line.ts'
import { waitingLine } from './summary.ts'

/** Counts are collected no more often than this. Milliseconds. */
const COLLECT_MS = 500

/** Without a terminal: when the first line is printed, and the longest time between two. Milliseconds. */
const FIRST_MS = 5_000
const LONGEST_MS = 60_000

/** The stream to which the status is written. */
export interface WaitingOptions {
  /** The counts so far. */
  ledger: () => Ledger
  /** The interfaces that are captured, to report what each shows; null: only the counts of all are reported. */
  interfaces: (() => readonly InterfaceObservation[]) | null
  /** A line on a terminal; null: standard error is not one. */
  line: ProgressLine | null
  write: (text: string) => void
  /** Milliseconds; monotonic. */
  now?: () => number
}

/** The status of one run, from its start to its first pair. */
export class WaitingStatus {
  readonly #options: WaitingOptions
  readonly #now: () => number
  #done = false
  #collectMs: number
  #printMs: number
  #intervalMs = FIRST_MS
  #printed = ''

  constructor(options: WaitingOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#collectMs = this.#now() + COLLECT_MS
    this.#printMs = this.#now() + FIRST_MS
  }

  /** Call a few times a second. @returns whether there is still no pair */
  update(): boolean {
    const now = this.#now()
    if (this.#done || now < this.#collectMs) return !this.#done
    const { line } = this.#options
    this.#collectMs = now + COLLECT_MS
    if (line === null && now < this.#printMs) return true
    const ledger = this.#options.ledger()
    this.#done = count(ledger, 'pairs.kept') > 0
    if (this.#done) line?.clear()
    else if (line !== null) line.show(this.#text(ledger))
    else this.#print(this.#text(ledger), now)
    return !this.#done
  }

  /** `no pairs yet; eth0: 43 connections, all TLS to api.example.com: plaintext is not on eth0` */
  #text(ledger: Ledger): string {
    const interfaces = this.#options.interfaces?.() ?? []
    if (interfaces.length === 0) return waitingLine(ledger)
    return ['no pairs yet', ...interfaces.map((one) => `${safe(one.name)}: ${safe(adviceFor(one))}`)].join('; ')
  }

  /** Prints a text that is new, at growing intervals. */
  #print(text: string, now: number): void {
    if (now < this.#printMs || text === this.#printed) return
    this.#printed = text
    this.#intervalMs = Math.min(LONGEST_MS, this.#intervalMs * 2)
    this.#printMs = now + this.#intervalMs
    this.#options.write(`${text}\n`)
  }
}

const adviceFor = (one: InterfaceObservation): string =>
  advice({ ...interfaceTotals([one]), isCaptured: true, interfaces: [one.name], why: '', outputFails: false })
