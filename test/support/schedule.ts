/**
 * Decides which test files run next: the longest first, and no two at a time that need the same resource. A unit is a
 * list of names: one file, or files that share a process.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CACHE } from '../../rig/root.ts'

/** Resources that exist once on a machine, and the files that need them. */
const RESOURCES: readonly { files: RegExp; why: string }[] = [
  {
    files: /^(?:e2e\/agent-|cli\/pods$|discovery\/node$|deploy\/privileges$)/,
    why: 'they see every pod of this machine',
  },
  { files: /^e2e\/live-/, why: 'they measure what interfaces and CPUs of this machine deliver' },
  {
    files: /^(?:deploy\/(?:cluster|rbac)|discovery\/kubernetes\/(?:kwok|many-pods))$/,
    why: 'clusters fill the memory',
  },
]

/** Estimated seconds of files that have not run on this machine yet; all others: 2. */
const GUESSES: readonly [RegExp, number][] = [
  [/^(?:deploy\/(?:cluster|image|rbac)|discovery\/kubernetes\/kwok)$/, 120],
  [/^(?:e2e|golden)\/|^ui\/browser$/, 40],
  [/^(?:cli\/kafka|discovery\/kubernetes\/(?:list-watch|many-pods)|assemble\/http1\/(?:loss|transcript))$/, 30],
]
const OTHERS_SECONDS = 2

const resourcesOf = (name: string): string[] => RESOURCES.filter(({ files }) => files.test(name)).map(({ why }) => why)

/** Most files of a group. More in one process would leave other lanes idle at the end of the run. */
const GROUP_FILES = 24

/** @param names files that may share a process. @returns groups of them, each of files from the same folder */
export const groupsOf = (names: readonly string[]): string[][] =>
  Array.from({ length: Math.ceil(names.length / GROUP_FILES) }, (_, i) =>
    names.slice(i * GROUP_FILES, (i + 1) * GROUP_FILES),
  )

/**
 * Chooses the first group that may run now.
 *
 * @param left groups that have not started, in the wanted order; the chosen one is removed @param running files that
 * run now @returns the chosen group's files; null: each has to wait
 */
export function nextGroup(left: string[][], running: readonly string[]): string[] | null {
  const taken = new Set(running.flatMap(resourcesOf))
  const at = left.findIndex((names) => !names.flatMap(resourcesOf).some((resource) => taken.has(resource)))
  return at === -1 ? null : left.splice(at, 1)[0]
}

/** The duration of each file in the last run on this machine. */
export class FileTimes {
  static readonly #file = join(CACHE, 'test-seconds.json')
  readonly #seconds: Record<string, number>

  constructor(seconds: Record<string, number>) {
    this.#seconds = seconds
  }

  static read(): FileTimes {
    try {
      return new FileTimes(JSON.parse(readFileSync(FileTimes.#file, 'utf8')) as Record<string, number>)
    } catch {
      return new FileTimes({})
    }
  }

  secondsOf(name: string): number {
    return this.#seconds[name] ?? GUESSES.find(([files]) => files.test(name))?.[1] ?? OTHERS_SECONDS
  }

  /**
   * Sorts by duration, longest first. Files that need the same resource come before, because they run one after
   * another.
   */
  longestFirst(groups: readonly string[][]): string[][] {
    const secondsOf = (names: readonly string[]): number => names.reduce((sum, name) => sum + this.secondsOf(name), 0)
    const chains = new Map<string, number>()
    for (const name of groups.flat()) {
      for (const resource of resourcesOf(name)) {
        chains.set(resource, (chains.get(resource) ?? 0) + this.secondsOf(name))
      }
    }
    const chainOf = (names: readonly string[]): number =>
      Math.max(secondsOf(names), ...names.flatMap(resourcesOf).map((resource) => chains.get(resource) ?? 0))
    return [...groups].sort((one, other) => chainOf(other) - chainOf(one) || secondsOf(other) - secondsOf(one))
  }

  note(name: string, seconds: number): void {
    this.#seconds[name] = Math.ceil(seconds * 10) / 10
  }

  /** If it cannot be written, the next run uses estimates again. */
  write(): void {
    try {
      mkdirSync(dirname(FileTimes.#file), { recursive: true })
      writeFileSync(FileTimes.#file, JSON.stringify(this.#seconds, null, 1))
    } catch {
      // The checkout is read-only.
    }
  }
}
