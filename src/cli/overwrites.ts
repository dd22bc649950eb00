/**
 * Checks the files of a command line before a run: an output that would overwrite an input or another output, because an output
 * file is emptied before the input is read, and an output that cannot be written.
 */
import { accessSync, type BigIntStats, constants, existsSync, fstatSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileErrorText, runtimeError, usageError } from '../errors.ts'

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
 * @throws InterceptorError (EXIT_USAGE)
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

/**
 * Checks that a file can be written, which opening it would report only once the run has begun, or at its end.
 *
 * @param what  for the message: `cannot write ${what}: …`
 * @throws InterceptorError (EXIT_RUNTIME)
 */
export function requireWritable(path: string, what: string): void {
  let reason: string | null = null
  try {
    const exists = existsSync(path)
    if (exists && statSync(path).isDirectory()) reason = 'it is a directory'
    else if (exists && statSync(path).isSocket()) reason = 'it is a socket'
    accessSync(exists ? path : `${dirname(resolve(path))}/.`, constants.W_OK)
  } catch (error) {
    reason = fileErrorText(error)
  }
  if (reason !== null) throw runtimeError(`cannot write ${what}: ${reason}`)
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
