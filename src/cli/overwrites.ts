/** Rejects outputs that would overwrite an input or each other: an output file is emptied before the input is read. */
import { type BigIntStats, fstatSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { usageError } from '../errors.ts'

const STANDARD_INPUT = 0
const STANDARD_OUTPUT = 1

/** A file of a command line, and how messages name it. */
export interface NamedFile {
  readonly name: string
  /** `-`: standard input or output. */
  readonly path: string
}

/**
 * Compares files by device and inode, so that links do not hide that two names are one file.
 *
 * @param outputs  `-` only where standard output carries pairs
 * @throws InterceptorError (exit 2)
 */
export function rejectOverwrites(inputs: readonly NamedFile[], outputs: readonly NamedFile[]): void {
  const seen = new Map<string, string>()
  for (const { name, path } of inputs) {
    const identity = identityOf(path, STANDARD_INPUT)
    if (identity !== null) seen.set(identity, name)
  }
  for (const { name, path } of outputs) {
    const identity = identityOf(path, STANDARD_OUTPUT)
    if (identity === null) continue
    const other = seen.get(identity)
    if (other !== undefined) throw usageError(`${name} is the same file as ${other} and would overwrite it`)
    seen.set(identity, name)
  }
}

/** Null: not a regular file, such as a pipe or /dev/null, which nothing overwrites. */
function identityOf(path: string, standard: number): string | null {
  const stats = statsOf(path, standard)
  if (stats === null) return path === '-' ? null : resolve(path)
  return stats.isFile() ? `${stats.dev}:${stats.ino}` : null
}

function statsOf(path: string, standard: number): BigIntStats | null {
  try {
    return path === '-' ? fstatSync(standard, { bigint: true }) : statSync(path, { bigint: true })
  } catch {
    return null
  }
}
