/**
 * Errors that end a run, each with its exit code and a message for the user: what is wrong, and a hint how to fix it.
 * Bytes from the wire or from a file never cause one of these; they are counted.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, isAbsolute, join } from 'node:path'
import { getSystemErrorMap } from 'node:util'

/** The exit codes (listed in README.md). */
export const EXIT_DONE = 0
/** Something failed while running. */
export const EXIT_RUNTIME = 1
/** The command line or the configuration is wrong. */
export const EXIT_USAGE = 2
/** The run finished, but its input was truncated or damaged. */
export const EXIT_DAMAGED = 3
/** A privilege or capability is missing. */
export const EXIT_PRIVILEGE = 4
/** A second SIGINT stopped the run at once (128 + 2). */
export const EXIT_INTERRUPTED = 130

/** Exit codes an error can carry. */
export type FailureCode = typeof EXIT_RUNTIME | typeof EXIT_USAGE | typeof EXIT_DAMAGED | typeof EXIT_PRIVILEGE

/** Exit codes of a run that was not interrupted. */
export type RunCode = typeof EXIT_DONE | FailureCode

/** An InterceptorError without its stack, to be posted between threads. */
export interface Failure {
  message: string
  exitCode: FailureCode
  /** What the user can do about it, in whole sentences; null: unknown. */
  hint: string | null
}

/** A failure with its exit code. The user sees `message` unchanged, then `hint` on a line of its own. */
export class InterceptorError extends Error {
  override readonly name = 'InterceptorError'
  readonly exitCode: FailureCode
  readonly hint: string | null

  constructor(exitCode: FailureCode, message: string, options: Details = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.exitCode = exitCode
    this.hint = options.hint ?? null
  }
}

interface Details {
  /** What the user can do about it, in whole sentences. */
  hint?: string | undefined
  cause?: unknown
}

/** The command line or the configuration is wrong: EXIT_USAGE. */
export const usageError = (message: string, details: Details = {}): InterceptorError =>
  new InterceptorError(EXIT_USAGE, message, details)

/** Something failed while running: EXIT_RUNTIME. */
export const runtimeError = (message: string, details: Details = {}): InterceptorError =>
  new InterceptorError(EXIT_RUNTIME, message, details)

/** A privilege or capability is missing; the message must name it: EXIT_PRIVILEGE. */
export const privilegeError = (message: string, details: Details = {}): InterceptorError =>
  new InterceptorError(EXIT_PRIVILEGE, message, details)

/** The message of anything thrown; of a failed system call, in words. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.message === '') return error.errors.map(errorText).join('; ')
  return plainText(error.message)
}

/**
 * Rewords a failed system call as Node.js reports it, `connect ECONNREFUSED 10.0.0.1:9092` or `ENOENT: no such file or
 * directory, open '/x'`: the address or file, the reason, and the code. Any other text is returned unchanged.
 */
export function plainText(text: string): string {
  const file = FILE_CALL.exec(text)
  if (file !== null) return `${file[3] === undefined ? '' : `${file[3]}: `}${file[2]} (${file[1]})`
  const [, program = '', code = '', rest = ''] = CALL.exec(text) ?? []
  const meaning = meaningOf(code)
  if (meaning === null) return text
  const subject = rest.replace(meaning, '').trim() || program
  const connection = subject === '' ? undefined : CONNECTION_REASONS[code]?.(subject)
  return `${connection ?? (subject === '' ? meaning : `${subject}: ${meaning}`)} (${code})`
}

/** A failed call on a file: the code, the meaning, and the path if Node.js names it. */
const FILE_CALL = /^(E[A-Z0-9]+): (.+?), [a-z]+(?: '(.*)')?$/s
/** Calls that Node.js names, one of them with a program, then the code, and the meaning or the address. */
const CALL =
  /^(?:accept|bind|connect|getaddrinfo|listen|read|shutdown|spawn(?: (.+?))?|write) (E[A-Z0-9_]+)\b:? ?(.*?)(?: - Local \(.*\))?$/

/** Reasons of failed connections, by the error's code, with the address or the name of a host. */
const CONNECTION_REASONS: Readonly<Record<string, (subject: string) => string>> = {
  ECONNREFUSED: (address) => `${address} refuses connections`,
  ENOTFOUND: (name) => `the host name ${name} is unknown`,
  EAI_AGAIN: (name) => `the host name ${name} cannot be resolved, because no name server replies`,
  ETIMEDOUT: (address) => `${address} does not respond`,
  EHOSTUNREACH: (address) => `there is no route to ${address}`,
  ENETUNREACH: (address) => `there is no route to ${address}`,
}

/** The meaning of an error code in libuv's words; null: an unknown code. */
function meaningOf(code: string): string | null {
  if (code === 'ENOTFOUND') return 'unknown host name'
  for (const [name, meaning] of getSystemErrorMap().values()) if (name === code) return meaning
  return null
}

/**
 * Why a file could not be opened, read or written, for a message that names the file: of
 * `ENOENT: no such file or directory, open '/x'`, as Node.js words it, only the reason.
 */
export const fileErrorText = (error: unknown): string =>
  (error as NodeJS.ErrnoException).code === 'EISDIR' ? 'it is a directory' : fileReason(error)

const fileReason = (error: unknown): string =>
  (error instanceof Error ? FILE_CALL.exec(error.message)?.[2] : undefined) ?? errorText(error)

/** The hint of anything thrown; null if it has none. */
export const hintOf = (error: unknown): string | null => (error instanceof InterceptorError ? error.hint : null)

/** Whether anything thrown reports a missing privilege. */
export const lacksPrivilege = (error: unknown): boolean =>
  error instanceof InterceptorError && error.exitCode === EXIT_PRIVILEGE

/** Converts anything thrown to a failure: EXIT_RUNTIME unless it is an InterceptorError. */
export function failureOf(error: unknown): Failure {
  const known = limitError(error) ?? (error instanceof InterceptorError ? error : null)
  if (known === null) return { message: errorText(error), exitCode: EXIT_RUNTIME, hint: null }
  return { message: known.message, exitCode: known.exitCode, hint: known.hint }
}

/** An error for the user where a thrown one means that a limit of this process is reached; null: it means something else. */
export const limitError = (error: unknown): InterceptorError | null =>
  descriptorError(error) ?? addressSpaceError(error) ?? threadError(error)

/**
 * An error for the user where a thrown one, or one that caused it, means that file descriptors are exhausted; null: it
 * means something else.
 */
export function descriptorError(error: unknown): InterceptorError | null {
  const code = descriptorCode(error)
  if (code === null) return null
  if (code === 'ENFILE') return runtimeError('this system has no file descriptors left (ENFILE)', { cause: error })
  return runtimeError('this process may not open more files (EMFILE)', {
    hint: 'Raise its limit of file descriptors, as with `ulimit -n 4096`. The program needs about 200, and 3 per interface.',
    cause: error,
  })
}

/** V8's message when a WebAssembly memory cannot be reserved. */
const NO_ADDRESS_SPACE = 'WebAssembly.Memory(): could not allocate memory'

function addressSpaceError(error: unknown): InterceptorError | null {
  if (!(error instanceof RangeError) || error.message !== NO_ADDRESS_SPACE) return null
  return runtimeError('this process may not reserve enough address space for WebAssembly', {
    hint: 'Lift its limit of virtual memory (`ulimit -v unlimited`); a cgroup limits the memory that is used.',
    cause: error,
  })
}

/** Node.js gives the reason, mostly EAGAIN, only in its text. */
function threadError(error: unknown): InterceptorError | null {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).code !== 'ERR_WORKER_INIT_FAILED') return null
  return runtimeError('this process may not start more threads', {
    hint: "Raise the limit of its user's processes (`ulimit -u`) or of its container's (pids.max): it needs about 20, and more with many CPUs.",
    cause: error,
  })
}

type DescriptorCode = 'EMFILE' | 'ENFILE'

function descriptorCode(error: unknown): DescriptorCode | null {
  if (!(error instanceof Error)) return null
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EMFILE' || code === 'ENFILE') return code
  const causes: unknown[] = error instanceof AggregateError ? [error.cause, ...error.errors] : [error.cause]
  for (const cause of causes) {
    const found = descriptorCode(cause)
    if (found !== null) return found
  }
  if (/^(?:ERR_)?MODULE_NOT_FOUND$/.test(code ?? '')) return isUnreadPackage(error.message) ? 'EMFILE' : null
  // An InterceptorError quotes others, such as an API server's, whose descriptors are not those of this process.
  return error instanceof InterceptorError ? null : codeInText(error.message)
}

/** Threads that cannot start, Node.js's loader of modules and the dynamic linker report the code only in their text. */
function codeInText(text: string): DescriptorCode | null {
  if (/\bENFILE\b|file table overflow|too many open files in system/i.test(text)) return 'ENFILE'
  return /\bEMFILE\b|too many open files/i.test(text) ? 'EMFILE' : null
}

/** Node.js reports a package as missing, or as without a main file, if it has no descriptor left to open its package.json. */
function isUnreadPackage(text: string): boolean {
  const name = /^Cannot find (?:package|module) '([^']+)'/.exec(text)?.[1]
  if (name === undefined) return false
  const folders = isAbsolute(name)
    ? [name, dirname(name)]
    : createRequire(import.meta.url)
        .resolve.paths(name)
        ?.map((folder) => join(folder, name))
  return folders?.some((folder) => existsSync(join(folder, 'package.json'))) ?? false
}

/** Converts a failure that another thread posted to an error. */
export const errorOf = ({ message, exitCode, hint }: Failure): InterceptorError =>
  new InterceptorError(exitCode, message, hint === null ? {} : { hint })
