/** Why an interface cannot be captured, sorted by what a caller can do about it. */
import { NoInterfaceError } from '../../capture/af-packet/bare-socket.ts'
import { EXIT_PRIVILEGE, EXIT_RUNTIME, failureOf, InterceptorError } from '../../errors.ts'
import { NetnsChangedError } from '../../sys/netns.ts'
import type { TargetFailure } from '../options.ts'

/** Error codes for a path into /proc whose process has ended, and for an interface that was just deleted. */
const GONE_CODES = ['ENOENT', 'ESRCH', 'ENODEV', 'ENETDOWN']
/** Error codes for a path into /proc of a process that this one may not inspect. */
const DENIED_CODES = ['EACCES', 'EPERM']

/** What it means that opening a target threw `error`. */
export const targetFailure = (error: unknown): TargetFailure => ({ ...failureOf(error), reason: reasonOf(error) })

/** The failure of a target that was removed before it was captured. */
export const targetEnded = (message: string): TargetFailure => ({
  message,
  exitCode: EXIT_RUNTIME,
  hint: null,
  reason: 'ended',
})

function reasonOf(error: unknown): TargetFailure['reason'] {
  if (error instanceof NoInterfaceError || error instanceof NetnsChangedError) return 'gone'
  if (error instanceof InterceptorError) return error.exitCode === EXIT_PRIVILEGE ? 'denied' : 'refused'
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (GONE_CODES.includes(code)) return 'gone'
  return DENIED_CODES.includes(code) ? 'denied' : 'refused'
}
