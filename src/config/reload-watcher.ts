/**
 * Reloads the configuration on SIGHUP and when its file changes, and applies what can change at run time. Main thread.
 *
 * The file is polled: an update of a mounted ConfigMap swaps a link two folders up (`..data`), which file system events do
 * not report for the file, and some mounts report no events at all. A change counts once two polls in a row see the same
 * state, so that a file is not read while it is being written.
 */
import { statSync } from 'node:fs'
import { errorText, usageError } from '../errors.ts'
import type { Logger } from '../log/logger.ts'
import type { LoadedConfig } from './load.ts'
import { planReload, type ReloadState } from './reload.ts'
import type { Config } from './schema.ts'

export interface ReloadOptions {
  /** The configuration in effect. Create the watcher right after loading it: it detects changes from then on. */
  loaded: LoadedConfig
  /** The file it was loaded from (configFilePath); undefined: there is none, only SIGHUP reloads. */
  file: string | undefined
  /** Loads the configuration again from the same sources. If it throws, the configuration is rejected. */
  load: () => Promise<LoadedConfig>
  /**
   * Applies new values; `changed` are dotted paths. Must throw an InterceptorError before it changes anything if a value
   * cannot be used: the configuration is then rejected.
   */
  apply: (config: Config, changed: readonly string[]) => void | Promise<void>
  log: Logger
  /** Milliseconds between two polls of the file. */
  pollMs?: number
}

const POLL_MS = 2_000

export class ConfigReloader {
  readonly #options: ReloadOptions
  #current: LoadedConfig
  #counts = { applied: 0, unchanged: 0, refused: 0 }
  #lastSuccessful = true
  #needRestart: readonly string[] = []
  /** State of the file at the last load and at the last poll. */
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

  /** Starts to watch for SIGHUP and changes of the file. */
  start(): void {
    process.on('SIGHUP', this.#onSignal)
    if (this.#options.file === undefined) return
    this.#timer = setInterval(() => this.#poll(), this.#options.pollMs ?? POLL_MS)
    this.#timer.unref()
  }

  /** Ignores SIGHUP and changes from now on. A load in progress is not applied. */
  stop(): void {
    this.#stopped = true
    process.off('SIGHUP', this.#onSignal)
    clearInterval(this.#timer)
  }

  /** Reloads the configuration; if a reload is in progress, once more after it. Never rejects. */
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
      this.#rejectPipe()
      const loaded = await load()
      if (this.#stopped) return
      const { next, changed, needRestart } = planReload(this.#current, loaded)
      if (changed.length > 0) await apply(next.config, changed)
      this.#current = next
      this.#lastSuccessful = true
      this.#counts[changed.length > 0 ? 'applied' : 'unchanged'] += 1
      log.info('configuration reloaded', { changed: changed.join(', ') || 'nothing' })
      this.#reportRestart(needRestart)
    } catch (error) {
      this.#lastSuccessful = false
      this.#counts.refused += 1
      log.error('configuration not reloaded; the previous one stays in effect', { error: errorText(error) })
    }
  }

  /** Logs the keys when they change, not at every reload. */
  #reportRestart(keys: readonly string[]): void {
    const reported = this.#needRestart.join(', ')
    this.#needRestart = keys
    const now = keys.join(', ')
    if (now !== '' && now !== reported) {
      this.#options.log.warn('these keys take effect after a restart; their old values stay in effect', { keys: now })
    }
  }

  /** Reading a named pipe waits for a writer, and the end of the process would wait with it. */
  #rejectPipe(): void {
    const { file } = this.#options
    if (file !== undefined && statSync(file, { throwIfNoEntry: false })?.isFIFO() === true)
      throw usageError(`configuration: ${file} is a pipe, which is read only at the start`)
  }

  /** A text that differs between two states of the file, links followed; the error's code if it cannot be read. */
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
