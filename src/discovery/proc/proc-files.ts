/**
 * Reads a proc filesystem (proc(5)), wherever it is mounted. A process may exit between any two reads, so "gone" is an
 * ordinary result and never an error. All reads are synchronous and share one buffer. Main thread.
 */
import { closeSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs'
import { getdents64 } from '../../sys/libc.ts'

/** The process, or the file, does not exist or exists no longer. */
export const GONE = Symbol('gone')
/** This process lacks the permission to read it. */
export const DENIED = Symbol('denied')
export type Refusal = typeof GONE | typeof DENIED

/** EINVAL: the error of /proc/<pid>/net for a zombie. */
const GONE_CODES = new Set(['ENOENT', 'ESRCH', 'ENOTDIR', 'EINVAL'])
const DENIED_CODES = new Set(['EACCES', 'EPERM'])

/** Files are cut after this many bytes. */
const MAX_FILE_BYTES = 1024 * 1024
const FIRST_BUFFER_BYTES = 64 * 1024

/** One visible process. */
export interface Listed {
  readonly pid: number
  /**
   * Inode of /proc/<pid>. It distinguishes the process from a later one with the same pid: the kernel allocates a new
   * inode when a pid is reused or its inode was evicted from the cache, and repeats no number within 2^32.
   */
  readonly inode: number
}

/** Offsets within `struct linux_dirent64` (getdents64(2)): the entry's length and its name. The inode comes first. */
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
   * Lists every visible process with its inode. getdents64(2) reports both at once; a stat(2) for each process would
   * dominate the cost of a scan.
   *
   * @returns by pid, ascending; a Refusal when the folder does not exist
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

  /** @returns the names in a folder, unordered */
  names(path: string): string[] | Refusal {
    try {
      return readdirSync(`${this.root}/${path}`)
    } catch (error) {
      return refusal(error)
    }
  }

  /** @param limit bytes after which the text is cut */
  read(path: string, limit = MAX_FILE_BYTES): string | Refusal {
    return this.#open(path, (file) => {
      // `#fill` may replace the buffer, so it has to run before the buffer is read.
      const length = this.#fill(file, limit)
      return this.#buffer.toString('utf8', 0, length)
    })
  }

  /** Opens a file or folder for the duration of `use`. */
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

  /** Reads to the end: proc returns a table in several reads, each of whole lines. @returns bytes read */
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

  /** The target of a symbolic link, such as `net:[4026531833]`. */
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

/** Appends the processes among `length` bytes of directory entries. */
function listProcesses(entries: Buffer, length: number, found: Listed[]): void {
  for (let at = 0; at < length; at += entries.readUInt16LE(at + ENTRY_LENGTH)) {
    const pid = pidAt(entries, at + ENTRY_NAME)
    if (pid > 0) found.push({ pid, inode: entries.readUInt32LE(at) + entries.readUInt32LE(at + 4) * 2 ** 32 })
  }
}

/** Parses a NUL-terminated name as a number; 0 when it is none. */
function pidAt(bytes: Buffer, at: number): number {
  let pid = 0
  for (let i = at; bytes[i] !== 0; i++) {
    const digit = bytes[i] - 0x30
    if (digit < 0 || digit > 9) return 0
    pid = pid * 10 + digit
  }
  return pid
}

/** @throws any other error, such as EMFILE: treating it as "gone" would make running processes look ended */
function refusal(error: unknown): Refusal {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (GONE_CODES.has(code)) return GONE
  if (DENIED_CODES.has(code)) return DENIED
  throw error
}
