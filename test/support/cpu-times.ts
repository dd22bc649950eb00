/**
 * CPU seconds of each test file, including all processes that it starts (TEST_TIMES=1). Linux only. Processes are
 * sampled, so the last moments of a file may be missing.
 */
import { commandLineOf, type ProcessStat, processStats } from '../../rig/process-tree.ts'

const SAMPLE_MS = 250
/** Files below this are not listed. */
const LISTED_SECONDS = 1

/** What is read of a process. */
type Sample = Pick<ProcessStat, 'parent' | 'cpuSeconds'>

/** Sums samples of all processes by the file that started them. */
export class CpuSums {
  readonly #self: number
  readonly #labelOf: (pid: number) => string
  /** Running processes with their label. A process whose parent has ended keeps its own. */
  readonly #labels = new Map<number, string>()
  #last = new Map<number, Sample>()
  /** Seconds of ended processes that no running process of the same label counts as its children's. */
  readonly #ended = new Map<string, number>()

  /**
   * @param self id of the process whose children are labelled
   * @param labelOf the label of such a child, and of all that it starts
   */
  constructor(self: number, labelOf: (pid: number) => string) {
    this.#self = self
    this.#labelOf = labelOf
  }

  /** @param all every process that runs now */
  add(all: ReadonlyMap<number, Sample>): void {
    for (const [pid, { parent, cpuSeconds }] of this.#last) {
      if (all.has(pid)) continue
      const label = this.#labels.get(pid)
      this.#labels.delete(pid)
      // Its running parent has waited for it and counts its time.
      if (label !== undefined && !(all.has(parent) && this.#labels.has(parent))) addTo(this.#ended, label, cpuSeconds)
    }
    this.#last = new Map([...all].filter(([pid, { parent }]) => this.#label(pid, parent, all) !== null))
  }

  /** @returns seconds by label */
  get seconds(): Map<string, number> {
    const sums = new Map(this.#ended)
    for (const [pid, { cpuSeconds }] of this.#last) addTo(sums, this.#labels.get(pid) ?? '', cpuSeconds)
    return sums
  }

  /** @returns the label of a process; null: it was not started by this run */
  #label(pid: number, parent: number, all: ReadonlyMap<number, Sample>): string | null {
    const known = this.#labels.get(pid)
    if (known !== undefined) return known
    const above = all.get(parent)
    const label = parent === this.#self ? this.#labelOf(pid) : above && this.#label(parent, above.parent, all)
    if (typeof label !== 'string') return null
    this.#labels.set(pid, label)
    return label
  }
}

const addTo = (sums: Map<string, number>, label: string, seconds: number): void =>
  void sums.set(label, (sums.get(label) ?? 0) + seconds)

const column = (seconds: number | undefined): string => (seconds?.toFixed(1) ?? '').padStart(7)

/** Samples until it is closed. */
export class CpuTimes {
  readonly #sums: CpuSums
  readonly #timer: NodeJS.Timeout

  /** @param names the files of the run; those that share a process are counted together */
  constructor(names: readonly string[]) {
    this.#sums = new CpuSums(process.pid, (pid) => {
      const commandLine = commandLineOf(pid)
      return names.find((name) => commandLine.includes(`/test/${name}.test.js`)) ?? 'files that share a process'
    })
    this.#timer = setInterval(() => this.#sums.add(processStats()), SAMPLE_MS)
  }

  /** @param wallSeconds by file. @returns a line for each file, the most expensive first, and one for all */
  close(wallSeconds: ReadonlyMap<string, number>): string[] {
    clearInterval(this.#timer)
    this.#sums.add(processStats())
    const used = [...this.#sums.seconds].sort(([, one], [, other]) => other - one)
    const listed = used.filter(([, seconds]) => seconds >= LISTED_SECONDS)
    const total = used.reduce((sum, [, seconds]) => sum + seconds, 0)
    return [
      '  CPU s  wall s',
      ...listed.map(([name, cpu]) => `${column(cpu)} ${column(wallSeconds.get(name))}  ${name}`),
      `${column(total)} ${column(undefined)}  all files`,
    ]
  }
}
