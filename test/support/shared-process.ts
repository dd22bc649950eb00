/**
 * Decides which test files may share a process: those that, including their imports, start nothing that outlives a
 * test, and neither change nor measure state of the process.
 */
import { CompiledImports } from './compiled-imports.ts'

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

export class SharedProcess {
  readonly #imports: CompiledImports
  /** Folders whose files belong to tests. */
  readonly #testFolders: readonly string[]

  /** @param testFolders absolute paths */
  constructor(testFolders: readonly string[], imports = new CompiledImports()) {
    this.#testFolders = testFolders
    this.#imports = imports
  }

  /** @param file path of a compiled test file. @returns why it needs its own process; null: it may share one */
  reasonAgainst(file: string): string | null {
    for (const path of this.#imports.filesOf(file)) {
      const { text, packages } = this.#imports.read(path)
      const state = this.#testFolders.some((folder) => path.startsWith(folder)) ? PROCESS_STATE.exec(text) : null
      if (state !== null) return `${path}: ${state[0]}`
      const module = packages.find(({ names, target }) => needsProcess(target, names))
      if (module !== undefined) return `${path}: ${module.target}`
    }
    return null
  }
}

function needsProcess(target: string, names: readonly string[]): boolean {
  if (target === 'node:net') return !names.every((name) => ADDRESS_NAMES.test(name))
  if (target === 'node:test') return names.some((name) => HOOK_NAMES.test(name))
  return OWN_PROCESS.test(target)
}
