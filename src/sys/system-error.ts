/** The error of a failed system call. */
import { getSystemErrorMap } from 'node:util'

/** A failed system call. `code` is the errno's name, such as `EPERM`. */
export class SystemError extends Error {
  readonly call: string
  readonly code: string
  readonly errno: number

  /** @param errno positive, as in errno(3) */
  constructor(call: string, errno: number) {
    const [code, meaning] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, 'unknown error']
    super(`${call}: ${meaning} (${code})`)
    this.name = 'SystemError'
    this.call = call
    this.code = code
    this.errno = errno
  }
}

/** Whether `error` is a failed system call with this errno name. */
export const hasCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof SystemError && codes.includes(error.code)
