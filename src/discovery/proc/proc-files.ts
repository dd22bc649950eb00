/**
 * Reading a host's proc filesystem (proc(5)), wherever it is mounted. Any process may end between two lines, so whatever
 * is asked of one can be gone; that is an answer and never an error. Synchronous, into one buffer. Main thread.
 */
import { closeSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs'
import { getdents64 } from '../../sys/libc.ts'

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

/** One process in sight. */
export interface Listed {
  readonly pid: number
  /**
   * Of /proc/<pid>; tells the process from a later one of the same pid. The kernel makes a new one when the pid is taken
   * anew, or when it has forgotten the old one, and gives no number twice within 2^32.
   */
  readonly inode: number
}

/** Of `struct linux_dirent64` (getdents64(2)): offsets of an entry's length and of its name; the inode is in front. */
const ENTRY_LENGTH = 16
const ENTRY_NAME = 19

/** Files below one mount of proc. */
export class ProcFiles {
  readonly root: string
  #buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES)

  /** @param root such as `/proc` or `/host/proc` */
  constructor(root: string) {
    this.root = root.length > 1 && root.endsWith('/') ? root.slice(0, -1) : root
  }

  /**
   * Every process in sight with its inode: without a stat(2) for each, which would be most of what a pass costs.
   *
   * @returns by pid, ascending; a Refusal when there is no such folder
   */
  processes(): Listed[] | Refusal {
    return this.#open('', (folder) => {
      const found: Listed[] = []
      for (;;) {
        const length = getdents64(folder, this.#buffer)
        if (length === 0) return found.sort((left, right) => left.pid - right.pid)
        listProcesses(this.#buffer, length, found)
      }
    })
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
    return this.#open(path, (file) => {
      // The buffer may be another one after this.
      const length = this.#fill(file, limit)
      return this.#buffer.toString('utf8', 0, length)
    })
  }

  /** Opens a file or folder for as long as `use` takes. */
  #open<T>(path: string, use: (file: number) => T): T | Refusal {
    try {
      const file = openSync(`${this.root}/${path}`, 'r')
      try {
        return use(file)
      } finally {
        closeSync(file)
      }
    } catch (error) {
      return refusal(error)
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

  /** The inode of a file or folder. */
  inode(path: string): number | Refusal {
    try {
      return statSync(`${this.root}/${path}`).ino
    } catch (error) {
      return refusal(error)
    }
  }
}

/** Adds the processes among `length` bytes of folder entries. */
function listProcesses(entries: Buffer, length: number, found: Listed[]): void {
  for (let at = 0; at < length; at += entries.readUInt16LE(at + ENTRY_LENGTH)) {
    const pid = pidAt(entries, at + ENTRY_NAME)
    if (pid > 0) found.push({ pid, inode: entries.readUInt32LE(at) + entries.readUInt32LE(at + 4) * 2 ** 32 })
  }
}

/** The number that a name, ended by NUL, is; else 0. */
function pidAt(bytes: Buffer, at: number): number {
  let pid = 0
  for (let i = at; bytes[i] !== 0; i++) {
    const digit = bytes[i] - 0x30
    if (digit < 0 || digit > 9) return 0
    pid = pid * 10 + digit
  }
  return pid
}

/** @throws what is no answer about a process, such as EMFILE: processes would seem to have ended */
function refusal(error: unknown): Refusal {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (GONE_CODES.has(code)) return GONE
  if (DENIED_CODES.has(code)) return DENIED
  throw error
}
