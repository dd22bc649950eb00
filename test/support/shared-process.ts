/**
 * Decides which test files may share a process: those that, including their imports, start nothing that outlives a
 * test, and neither change nor measure state of the process.
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Modules through which a file starts processes, threads and servers, or changes its process and thread. */
const OWN_PROCESS =
  /^(?:node:(?:child_process|cluster|dgram|http|http2|https|inspector|tls|v8|vm|worker_threads)|cap|koffi|piscina)$/
/** Functions of node:net for addresses; everything else in it is about sockets. */
const ADDRESS_NAMES = /^(?:isIP|isIPv4|isIPv6|BlockList|SocketAddress)$/
/** Hooks that would run before the tests of every file. */
const HOOK_NAMES = /^(?:before|beforeEach|afterEach|mock)$/
/** Patterns in the text of tests and their helpers that change or measure the process. */
const PROCESS_STATE =
  /process\.(?:abort|chdir|cpuUsage|emitWarning|exit|exitCode|kill|memoryUsage|on|once|resourceUsage|set\w+|umask)\b|process\.env(?:\.\w+|\[[^\]]+\]) =(?!=)|delete process\.env|\bconfigureGlobal\b|\bglobalThis\b/
const IMPORTS = /(?:^(?:import|export) (?:([^'";]+) from )?|\bimport\()'([^']+\.js|[^.'][^']*)'/gm

interface Compiled {
  text: string
  imports: { names: string[]; target: string }[]
}

/** Reads compiled files, each once. */
export class SharedProcess {
  readonly #files = new Map<string, Compiled>()
  /** Folders whose files belong to tests. */
  readonly #testFolders: readonly string[]

  /** @param testFolders absolute paths */
  constructor(testFolders: readonly string[]) {
    this.#testFolders = testFolders
  }

  /** @param file path of a compiled test file. @returns why it needs its own process; null: it may share one */
  reasonAgainst(file: string): string | null {
    const seen = new Set([file])
    for (const path of seen) {
      const { text, imports } = this.#read(path)
      const state = this.#testFolders.some((folder) => path.startsWith(folder)) ? PROCESS_STATE.exec(text) : null
      if (state !== null) return `${path}: ${state[0]}`
      for (const { names, target } of imports) {
        if (target.startsWith('.')) seen.add(join(dirname(path), target))
        else if (needsProcess(target, names)) return `${path}: ${target}`
      }
    }
    return null
  }

  #read(path: string): Compiled {
    const known = this.#files.get(path)
    if (known !== undefined) return known
    const text = readFileSync(path, 'utf8')
    const imports = [...text.matchAll(IMPORTS)].map(([, names = '*', target]) => ({ names: namesIn(names), target }))
    const compiled = { text, imports }
    this.#files.set(path, compiled)
    return compiled
  }
}

/** `{ isIP, connect as open }` → `isIP`, `connect` */
const namesIn = (clause: string): string[] =>
  clause
    .replace(/[{}]/g, '')
    .split(',')
    .map((part) => part.trim().split(/\s+as\s+/)[0])
    .filter((name) => name !== '')

function needsProcess(target: string, names: readonly string[]): boolean {
  if (target === 'node:net') return !names.every((name) => ADDRESS_NAMES.test(name))
  if (target === 'node:test') return names.some((name) => HOOK_NAMES.test(name))
  return OWN_PROCESS.test(target)
}
