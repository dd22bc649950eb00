/**
 * Reading a host's proc filesystem (proc(5)), wherever it is mounted. Any process may end between two lines, so whatever
 * is asked of one can be gone; that is an answer and never an error. Synchronous, into one buffer. Main thread.
 */
import { closeSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs'

/** The process, or what was asked of it, is not there any more. */
export const GONE = Symbol('gone')
/** This process may not look at it. */
export const DENIED = Symbol('denied')
export type Refusal = typeof GONE | typeof DENIED

/** EINVAL: what /proc/<pid>/net of a zombie says. */
const GONE_CODES = new Set(['ENOENT', 'ESRCH', 'ENOTDIR', 'EINVAL'])
const DENIED_CODES = new Set(['EACCES', 'EPERM'])

/** Most that is read of one file; a longer one is cut. Bytes. */
const MAX_FILE_BYTES = 1024 * 1024
const FIRST_BUFFER_BYTES = 64 * 1024

/** Tells one process from a later one of the same pid. */
export interface Identity {
  /** The kernel makes a new inode for /proc/<pid> when the pid is taken anew, or when it has forgotten the old one. */
  readonly inode: number
  /** When it made the inode. Milliseconds. */
  readonly madeAt: number
}

/** Files below one mount of proc. */
export class ProcFiles {
  readonly root: string
  #buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES)

  /** @param root such as `/proc` or `/host/proc` */
  constructor(root: string) {
    this.root = root.length > 1 && root.endsWith('/') ? root.slice(0, -1) : root
  }

  /** @returns every process in sight, by pid, in no order; a Refusal when there is no such folder */
  pids(): number[] | Refusal {
    try {
      const pids: number[] = []
      for (const name of readdirSync(this.root)) {
        const first = name.charCodeAt(0)
        if (first >= 0x31 && first <= 0x39) pids.push(Number(name))
      }
      return pids
    } catch (error) {
      return refusal(error)
    }
  }

  /** @returns what is in a folder, in no order */
  names(path: string): string[] | Refusal {
    try {
      return readdirSync(`${this.root}/${path}`)
    } catch (error) {
      return refusal(error)
    }
  }

  /** @param limit bytes after which the file is cut */
  read(path: string, limit = MAX_FILE_BYTES): string | Refusal {
    let file: number
    try {
      file = openSync(`${this.root}/${path}`, 'r')
    } catch (error) {
      return refusal(error)
    }
    try {
      // The buffer may be another one after this.
      const length = this.#fill(file, limit)
      return this.#buffer.toString('utf8', 0, length)
    } catch (error) {
      return refusal(error)
    } finally {
      closeSync(file)
    }
  }

  /** Reads until the end: proc hands tables out in pieces, each of whole lines. @returns bytes read */
  #fill(file: number, limit: number): number {
    let filled = 0
    for (;;) {
      if (filled >= limit) return limit
      if (filled === this.#buffer.length) this.#buffer = Buffer.concat([this.#buffer], filled * 2)
      const read = readSync(file, this.#buffer, filled, Math.min(limit, this.#buffer.length) - filled, null)
      if (read === 0) return filled
      filled += read
    }
  }

  /** What a symbolic link says: `net:[4026531833]`. */
  readLink(path: string): string | Refusal {
    try {
      return readlinkSync(`${this.root}/${path}`)
    } catch (error) {
      return refusal(error)
    }
  }

  /** Of a process (its folder) costs a quarter of reading its start time. */
  identity(path: string): Identity | Refusal {
    try {
      const { ino, ctimeMs } = statSync(`${this.root}/${path}`)
      return { inode: ino, madeAt: ctimeMs }
    } catch (error) {
      return refusal(error)
    }
  }
}

/** @throws what is no answer about a process, such as EMFILE: processes would seem to have ended */
function refusal(error: unknown): Refusal {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (GONE_CODES.has(code)) return GONE
  if (DENIED_CODES.has(code)) return DENIED
  throw error
}
