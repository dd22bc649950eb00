/**
 * Where a stream of records is written: standard output, or a file that may be a FIFO, may be renamed by logrotate,
 * and may be rotated here. Nothing blocks: a FIFO without a reader and a pipe with a slow one are waited for by the caller.
 *
 * Linux: a pipe or terminal that is standard output is opened anew, non-blocking, through /proc/self/fd. Its own
 * descriptor stays as it is, because other processes share it. Where that is not possible, writes block.
 */
import {
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { FdOutput, type WriteResult } from './fd-output.ts'

const { O_WRONLY, O_CREAT, O_APPEND, O_TRUNC, O_NONBLOCK } = constants
const STDOUT = 1
const MODE = 0o666

/** When a file is rotated: renamed, and replaced by a new one. */
export interface Rotation {
  /** The size from which a file is rotated; Infinity: never. */
  maxBytes: number
  /** The age from which a file is rotated; Infinity: never. */
  maxAgeMs: number
  /** How many rotated files are kept; Infinity: all. */
  keep: number
}

export interface OutputTarget {
  /** null: standard output. */
  path: string | null
  /**
   * Append to the file for as long as the program runs: it is reopened when it was moved, and rotated. False: one
   * document, which replaces the file's content.
   */
  append: boolean
  /** Absent: never. */
  rotation?: Rotation
}

const NEVER: Rotation = { maxBytes: Infinity, maxAgeMs: Infinity, keep: Infinity }

export class OutputFile {
  readonly #target: OutputTarget
  readonly #rotation: Rotation
  /** Size to which the file is truncated when it is opened; null: `append` decides. */
  #resumeAt: number | null
  #output: FdOutput | null = null
  /** The open file, if it is a regular file with a name. */
  #file: { stats: Stats; startBytes: number; openedMs: number } | null = null
  #writtenBefore = 0

  /** @param resumeAt size of the file after the last whole record of a previous writer; null: there was none */
  constructor(target: OutputTarget, resumeAt: number | null) {
    this.#target = target
    this.#rotation = target.rotation ?? NEVER
    this.#resumeAt = resumeAt
  }

  /** The name of the output in messages. */
  get name(): string {
    return this.#target.path ?? 'standard output'
  }

  /** Whether it is standard output. */
  get isStandard(): boolean {
    return this.#target.path === null
  }

  /** Whether it is open: a FIFO without a reader is not. */
  get isOpen(): boolean {
    return this.#output !== null
  }

  /** Bytes written in all. */
  get written(): number {
    return this.#writtenBefore + (this.#output?.written ?? 0)
  }

  get pending(): number {
    return this.#output?.pending ?? 0
  }

  /** Size of the file now; 0 where the output is not a file. */
  get size(): number {
    return this.#file === null ? 0 : this.#file.startBytes + (this.#output?.written ?? 0)
  }

  /** Opens the output, where it is not open. @returns later: a FIFO has no reader yet */
  open(): WriteResult {
    if (this.#output !== null) return 'ok'
    const { path } = this.#target
    try {
      const fd = path === null ? openStdout() : openSync(path, this.#flags(path), MODE)
      const stats = fstatSync(fd)
      if (path !== null && stats.isFile()) {
        if (this.#resumeAt !== null && stats.size > this.#resumeAt) ftruncateSync(fd, this.#resumeAt)
        const startBytes = Math.min(stats.size, this.#resumeAt ?? stats.size)
        this.#file = { stats, startBytes, openedMs: performance.now() }
      }
      this.#resumeAt = null
      this.#output = new FdOutput(fd)
      return 'ok'
    } catch (error) {
      // A socket gives the same error as a FIFO without a reader.
      return (error as NodeJS.ErrnoException).code === 'ENXIO' && isFifo(path) ? 'later' : (error as Error)
    }
  }

  /** Writes as FdOutput does; 'later' while the output is not open. */
  write(data: string | Uint8Array): WriteResult {
    return this.#output === null ? 'later' : this.#output.write(data)
  }

  flush(): WriteResult {
    return this.#output === null ? 'ok' : this.#output.flush()
  }

  /** Whether the file has reached its largest size, with what is pending. */
  get isFull(): boolean {
    return this.#target.append && this.#file !== null && this.size + this.pending >= this.#rotation.maxBytes
  }

  /**
   * Closes the file if it was moved, or is full or old; `open` then starts a new one. Call between two records, with
   * nothing pending.
   *
   * @returns an error if a full or old file cannot be renamed
   */
  closeIfDue(nowMs: number): WriteResult {
    const { path, append } = this.#target
    if (this.#file === null || path === null || !append || this.pending > 0) return 'ok'
    try {
      if (!isSame(path, this.#file.stats)) this.close()
      else if (this.#isDue(nowMs)) {
        this.close()
        putAside(path, nowMs, this.#rotation.keep)
      }
      return 'ok'
    } catch (error) {
      return error as Error
    }
  }

  /**
   * Drops what is pending, and shortens a file to its first `size` bytes.
   *
   * @returns false where the output is not a file, or cannot be shortened
   */
  truncate(size: number): boolean {
    this.#output?.forget()
    if (this.#output === null || this.#file === null) return false
    try {
      ftruncateSync(this.#output.fd, size)
    } catch {
      return false
    }
    this.#file.startBytes -= this.size - size
    return true
  }

  close(): void {
    if (this.#output === null) return
    this.#writtenBefore += this.#output.written
    this.#output.close()
    this.#output = null
    this.#file = null
  }

  #isDue(nowMs: number): boolean {
    const { maxBytes, maxAgeMs } = this.#rotation
    if (this.size === 0 || this.#file === null) return false
    if (this.size >= maxBytes) return true
    const { stats, openedMs } = this.#file
    // The system clock may have been set back since.
    return Math.max(nowMs - stats.birthtimeMs, performance.now() - openedMs) >= maxAgeMs
  }

  #flags(path: string): number {
    const add = this.#target.append || this.#resumeAt !== null
    return isFifo(path) ? O_WRONLY | O_NONBLOCK : O_WRONLY | O_CREAT | O_APPEND | (add ? 0 : O_TRUNC)
  }
}

const isFifo = (path: string | null): boolean =>
  path !== null && statSync(path, { throwIfNoEntry: false })?.isFIFO() === true

function openStdout(): number {
  const stats = fstatSync(STDOUT)
  if (process.platform !== 'linux' || !(stats.isFIFO() || stats.isCharacterDevice())) return STDOUT
  try {
    return openSync(`/proc/self/fd/${STDOUT}`, O_WRONLY | O_NONBLOCK)
  } catch {
    return STDOUT
  }
}

function isSame(path: string, { dev, ino }: Stats): boolean {
  const now = statSync(path, { throwIfNoEntry: false })
  return now !== undefined && now.dev === dev && now.ino === ino
}

/** Name of a rotated file: the path, and the time of the rotation. */
const asideName = (path: string, nowMs: number): string =>
  `${path}.${new Date(nowMs).toISOString().replaceAll(/[-:]/g, '')}`
const ASIDE = /^\.\d{8}T\d{6}\.\d{3}Z$/

/** Names sort in the order of rotations, even after the clock was set back: the newest file is never removed as the oldest. */
function putAside(path: string, nowMs: number, keep: number): void {
  const folder = dirname(path)
  const aside = rotatedFiles(path)
  const latestMs = aside.length === 0 ? -Infinity : rotatedAtMs(path, aside[aside.length - 1])
  renameSync(path, asideName(path, Math.max(nowMs, latestMs + 1)))
  for (const old of aside.slice(0, Math.max(0, aside.length + 1 - keep))) rmSync(join(folder, old))
}

/** Names of the rotated files, from the oldest on. One whose digits are no time is another program's. */
function rotatedFiles(path: string): string[] {
  const name = basename(path)
  return readdirSync(dirname(path))
    .filter((other) => other.startsWith(name) && ASIDE.test(other.slice(name.length)))
    .filter((other) => !Number.isNaN(rotatedAtMs(path, other)))
    .sort()
}

const rotatedAtMs = (path: string, rotated: string): number =>
  Date.parse(rotated.slice(basename(path).length + 1).replace(/^(....)(..)(.....)(..)/, '$1-$2-$3:$4:'))
