/**
 * Reads the configuration again at SIGHUP and when its file changes, and hands on what can change while the program runs.
 * Main thread.
 *
 * The file is looked at by polling: what a mounted ConfigMap swaps is a link two folders up (`..data`), and events of the
 * file system do not tell of that for a file, nor at all on some mounts. A change counts once two looks in a row show the
 * same, so that a file being written is not read half.
 */
import { statSync } from 'node:fs'
import { errorText } from '../errors.ts'
import type { Logger } from '../log/logger.ts'
import type { LoadedConfig } from './load.ts'
import { planReload, type ReloadState } from './reload.ts'
import type { Config } from './schema.ts'

export interface ReloadOptions {
  /** The configuration in effect. Make the watcher right after loading it: changes from then on are seen. */
  loaded: LoadedConfig
  /** The file it was read from (configFilePath); undefined: there is none, and only SIGHUP counts. */
  file: string | undefined
  /** Loads it in the same way again. What it throws is refused. */
  load: () => Promise<LoadedConfig>
  /**
   * Puts new values into effect; `changed` are dotted paths. What cannot be used is to be found before anything is changed,
   * and thrown as an InterceptorError: the configuration counts as refused then.
   */
  apply: (config: Config, changed: readonly string[]) => void | Promise<void>
  log: Logger
  /** Between two looks at the file, milliseconds. */
  pollMs?: number
}

const POLL_MS = 2_000

export class ConfigReloader {
  readonly #options: ReloadOptions
  #current: LoadedConfig
  #counts = { applied: 0, unchanged: 0, refused: 0 }
  #lastSuccessful = true
  #needRestart: readonly string[] = []
  /** The file as it was when it was last read, and when it was last looked at. */
  #readAs: string
  #seenAs: string
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | null = null
  #again = false
  #stopped = false

  constructor(options: ReloadOptions) {
    this.#options = options
    this.#current = options.loaded
    this.#readAs = this.#look()
    this.#seenAs = this.#readAs
  }

  /** The configuration in effect. */
  get current(): LoadedConfig {
    return this.#current
  }

  get state(): ReloadState {
    return { ...this.#counts, lastSuccessful: this.#lastSuccessful, needRestart: this.#needRestart }
  }

  /** From now on SIGHUP and the file count. */
  start(): void {
    process.on('SIGHUP', this.#onSignal)
    if (this.#options.file === undefined) return
    this.#timer = setInterval(() => this.#poll(), this.#options.pollMs ?? POLL_MS)
    this.#timer.unref()
  }

  /** SIGHUP ends the process again, as is its default. What is being read now is not applied any more. */
  stop(): void {
    this.#stopped = true
    process.off('SIGHUP', this.#onSignal)
    clearInterval(this.#timer)
  }

  /** Reads the configuration again, once more where that is being done already. Never rejects. */
  reload(): Promise<void> {
    this.#again = true
    this.#running ??= this.#work()
    return this.#running
  }

  readonly #onSignal = (): void => void this.reload()

  async #work(): Promise<void> {
    while (this.#again) {
      this.#again = false
      this.#readAs = this.#look()
      await this.#readAgain()
    }
    this.#running = null
  }

  #poll(): void {
    const now = this.#look()
    const settled = now === this.#seenAs
    this.#seenAs = now
    if (settled && now !== this.#readAs) void this.reload()
  }

  async #readAgain(): Promise<void> {
    const { load, apply, log } = this.#options
    try {
      const loaded = await load()
      if (this.#stopped) return
      const { next, changed, needRestart } = planReload(this.#current, loaded)
      if (changed.length > 0) await apply(next.config, changed)
      this.#current = next
      this.#lastSuccessful = true
      this.#counts[changed.length > 0 ? 'applied' : 'unchanged'] += 1
      log.info('configuration reloaded', { changed: changed.join(', ') || 'nothing' })
      this.#tellRestart(needRestart)
    } catch (error) {
      this.#lastSuccessful = false
      this.#counts.refused += 1
      log.error('the configuration was not reloaded, the one before goes on', { error: errorText(error) })
    }
  }

  /** Said when it changes, not again at every reload. */
  #tellRestart(keys: readonly string[]): void {
    const told = this.#needRestart.join(', ')
    this.#needRestart = keys
    const now = keys.join(', ')
    if (now !== '' && now !== told) {
      this.#options.log.warn('these keys take effect only with a restart, their old values go on', { keys: now })
    }
  }

  /** What tells one state of the file from another, links followed; the error's code where it cannot be looked at. */
  #look(): string {
    const { file } = this.#options
    if (file === undefined) return ''
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true })
      return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? 'unknown'
    }
  }
}
